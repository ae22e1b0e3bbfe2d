from broadcaster.cli.app import main

main()
