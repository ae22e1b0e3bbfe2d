"""`python -m broadcaster.doctor`: the doctor on a machine where nothing of ours is installed."""

import sys

from broadcaster.doctor.examination import main

sys.exit(main())
