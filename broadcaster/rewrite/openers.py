"""Words that open a sentence and are no names, and the little words of a language. Data; nothing else."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: the commonest little words: what a sentence is full of whatever it says; a language is known by them
LITTLE = {
    "en": _words(
        """
        a an the and or but if so as at by for from in into of off on onto out over to up with without about is
        are was were be been being am do does did has have had having will would can could may might must shall
        should not no nor it its this that these those there here he she they them their his her we us our you
        your i me my who what which when where why how than then too very just also only even more most much
        many some any all each every other another such own same both either neither while because until since
        again once ever never always let
        """
    ),
    "de": _words(
        """
        der die das und oder aber wenn in im an am auf aus bei mit nach von vor zu zum zur für über unter ist
        sind war waren sein hat haben hatte wird werden kann können nicht kein keine ein eine einen einem einer
        es er sie wir ihr ich du uns euch mein dein unser dieser diese dieses auch nur noch schon sehr so wie
        was wer wo hier da dann
        """
    ),
    "fr": _words(
        """
        le la les un une des du de et ou mais si en à au aux avec pour par sur sous dans sans est sont était
        être a ont avoir il elle ils elles nous vous je tu on ce cette ces son sa ses notre votre leur qui que
        quoi où quand comme ne pas plus très aussi tout tous toute toutes ici là alors donc bien
        """
    ),
    "es": _words(
        """
        el la los las un una unos unas de del y o pero si en a al con por para sobre sin es son era ser está
        están ha han hay yo tú él ella nosotros ustedes ellos su sus nuestro nuestra este esta estos estas que
        quien cuando donde como no más muy también todo todos toda todas aquí allí entonces
        """
    ),
    "it": _words(
        """
        il lo la i gli le un una di del della dei delle e o ma se in a al alla con per su da dal sono era essere
        ha hanno io tu lui lei noi voi loro questo questa questi queste che chi quando dove come non più molto
        anche tutto tutti qui là allora
        """
    ),
    "pt": _words(
        """
        o a os as um uma uns umas de do da dos das e ou mas se em no na nos nas ao à com por para sobre sem é
        são era ser está estão tem há eu ele ela nós vocês eles seu sua este esta estes isso que quem quando
        onde como não mais muito também todo todos toda todas aqui ali então
        """
    ),
}

#: English words that often begin a sentence in a shop or a show, beside the little ones
OPENERS = _words(
    """
    add ahead ask back because before begin besides best better big bring browse build buy call care catch check
    choose clean click close come comment compare consider count create curious dear decide deep delight did
    discover drink drop early easy eat either enjoy enough experience explore extra fact fancy fast favorite
    favourite feel few fill find fine finally first follow folks fresh friends fun gather get gift give glad go
    gone good goodbye got grab great greetings guess guys half hand hands happy hard have head hear heavy hello
    help hey hi high hold home hope hot huge hurry imagine inside instead interested join keep kind know ladies
    large last late later learn leave less life light like listen little live long look lots love lovely low
    made maybe mean meanwhile meet message mind most move near need new next nice nobody none nothing notice now
    old one open order ordinary ours outside part pay people perfect perhaps pick place plain plan please plenty
    plus pop pour press pretty prices promise pure put quality question questions quick quiet quite rather reach
    read ready real really relax remember right rough run safe save say see seen sell send set several shall
    share ship shop short show simple simply sip sit slow small smart smooth soft someone something sometimes
    soon sorry sound special speak start stay still stop store stock strong sturdy sure surely take talk taste
    tell test thank thanks thick thin think thought through time tired today together tomorrow tonight treat
    true trust try turn under unlike upgrade use used usually value visit wait walk want warm wash watch welcome
    well went whatever whenever wherever whether whoever whole winter wish within wonder wonderful work worry
    worth write wrong yes yesterday yet yours
    """
)

#: characters of Chinese that a sentence is full of whatever it says
LITTLE_HAN = frozenset(
    "的了是在我们你您他她它这那就也都和与有很把被给让吧呢吗啊呀哦嗯着过得地之而及或但不没一个款种些来去会能可以要还又再才只最更"
)
