"""Sentences as shops say them, in twelve languages: long and short, over 400."""

from __future__ import annotations

from itertools import product

OPENERS: dict[str, tuple[str, ...]] = {
    "en": (
        "Good evening and welcome",
        "This mug is made by hand in a small workshop",
        "Only nineteen dollars today",
        "As you can see from here",
        "Six swift sheep",
        "If you have just joined us, let me say it again",
    ),
    "zh": (
        "晚上好，欢迎来到直播间",
        "这个杯子是手工做的",
        "今天只要十九块九",
        "四是四，十是十",
        "刚进来的朋友们",
        "我们的库存已经不多了",
    ),
    "de": (
        "Guten Abend und herzlich willkommen",
        "Diese Tasse wird von Hand gemacht",
        "Heute nur neunzehn Euro",
        "Zwischen zwei Zwetschgenzweigen",
        "Wer gerade erst dazukommt",
        "Unser Vorrat geht zur Neige",
    ),
    "fr": (
        "Bonsoir et bienvenue",
        "Cette tasse est faite à la main",
        "Seulement dix-neuf euros aujourd'hui",
        "Si six scies scient six cyprès",
        "Pour ceux qui nous rejoignent",
        "Il ne nous en reste presque plus",
    ),
    "es": (
        "Buenas noches y bienvenidos",
        "Esta taza está hecha a mano",
        "Hoy solo diecinueve euros",
        "Tres tristes tigres",
        "Para quienes acaban de llegar",
        "Nos quedan muy pocas unidades",
    ),
    "ja": (
        "こんばんは、ようこそ",
        "このカップはてづくりです",
        "きょうはたったのせんえんです",
        "すしをすすってしずかに",
        "いまきてくださったかた",
        "ざいこがあとわずかです",
    ),
    "ru": (
        "Добрый вечер и добро пожаловать",
        "Эта чашка сделана вручную",
        "Сегодня всего девятнадцать рублей",
        "Шла Саша по шоссе",
        "Для тех, кто только что подключился",
        "У нас почти ничего не осталось",
    ),
    "pl": (
        "Dobry wieczór i witamy",
        "Ten kubek jest robiony ręcznie",
        "Dzisiaj tylko dziewiętnaście złotych",
        "W Szczebrzeszynie chrząszcz",
        "Dla tych, którzy właśnie dołączyli",
        "Zostało nam bardzo niewiele",
    ),
    "ko": (
        "안녕하세요 환영합니다",
        "이 컵은 손으로 만들었습니다",
        "오늘은 단돈 만 원입니다",
        "간장 공장 공장장",
        "방금 들어오신 분들께",
        "재고가 얼마 남지 않았습니다",
    ),
    "it": (
        "Buonasera e benvenuti",
        "Questa tazza è fatta a mano",
        "Oggi solo diciannove euro",
        "Sopra la panca la capra",
        "Per chi è appena arrivato",
        "Ne abbiamo ancora pochissime",
    ),
    "pt": (
        "Boa noite e sejam bem-vindos",
        "Esta caneca é feita à mão",
        "Hoje por apenas dezenove reais",
        "Três pratos de trigo",
        "Para quem acabou de chegar",
        "Restam pouquíssimas unidades",
    ),
    "tr": (
        "İyi akşamlar ve hoş geldiniz",
        "Bu fincan el yapımıdır",
        "Bugün sadece on dokuz lira",
        "Şu köşe yaz köşesi",
        "Aramıza yeni katılanlar için",
        "Elimizde çok az kaldı",
    ),
}
CLOSERS: dict[str, tuple[str, ...]] = {
    "en": (
        "!",
        ", and it keeps your tea warm for hours.",
        ", which is why so many of you have asked for it again and again.",
        "; tell me in the chat which colour you like best.",
        ", so do not wait.",
        ", and after the break we will look at the plates and the bowls of the same series, one by one.",
    ),
    "zh": (
        "！",
        "，喜欢的朋友可以点一下购物车。",
        "，所以很多老顾客一次又一次地回来买。",
        "，想要什么颜色请在评论里告诉我。",
        "，不要错过。",
        "，休息之后我们再来看看同一个系列的盘子和碗，一件一件慢慢地看。",
    ),
    "de": (
        "!",
        ", und der Tee bleibt stundenlang warm.",
        ", deshalb fragen so viele immer wieder danach.",
        "; schreibt mir, welche Farbe euch am besten gefällt.",
        ", also nicht warten.",
        ", und nach der Pause sehen wir uns die Teller und Schüsseln derselben Serie an, Stück für Stück.",
    ),
    "fr": (
        "!",
        ", et le thé reste chaud pendant des heures.",
        ", voilà pourquoi on nous la demande sans cesse.",
        "; dites-moi quelle couleur vous préférez.",
        ", alors n'attendez pas.",
        ", et après la pause nous regarderons les assiettes et les bols de la même série, un par un.",
    ),
    "es": (
        ".",
        ", y el té se mantiene caliente durante horas.",
        ", por eso tantos de ustedes la piden una y otra vez.",
        "; díganme qué color les gusta más.",
        ", así que no esperen.",
        ", y después de la pausa veremos los platos y los cuencos de la misma serie, uno por uno.",
    ),
    "ja": (
        "。",
        "、おちゃがなんじかんもあたたかいままです。",
        "、だからなんどもかってくださるかたがおおいのです。",
        "、どのいろがすきかおしえてください。",
        "、おはやめに。",
        "、きゅうけいのあとで、おなじシリーズのおさらとおわんをひとつずつみていきましょう。",
    ),
    "ru": (
        "!",
        ", и чай остаётся горячим часами.",
        ", поэтому вы просите её снова и снова.",
        "; напишите, какой цвет вам нравится больше.",
        ", так что не ждите.",
        ", а после перерыва мы посмотрим тарелки и миски из той же серии, одну за другой.",
    ),
    "pl": (
        "!",
        ", a herbata pozostaje ciepła przez wiele godzin.",
        ", dlatego tak wielu z was wciąż o niego pyta.",
        "; napiszcie, który kolor podoba się wam najbardziej.",
        ", więc nie czekajcie.",
        ", a po przerwie obejrzymy talerze i miski z tej samej serii, jeden po drugim.",
    ),
    "ko": (
        ".",
        ", 차가 몇 시간 동안 따뜻합니다.",
        ", 그래서 많은 분들이 계속 찾으십니다.",
        ", 어떤 색이 좋은지 알려 주세요.",
        ", 서두르세요.",
        ", 쉬는 시간 뒤에는 같은 시리즈의 접시와 그릇을 하나씩 살펴보겠습니다.",
    ),
    "it": (
        ".",
        ", e il tè resta caldo per ore.",
        ", per questo ce la chiedete così spesso.",
        "; ditemi quale colore vi piace di più.",
        ", quindi non aspettate.",
        ", e dopo la pausa guarderemo i piatti e le ciotole della stessa serie, uno per uno.",
    ),
    "pt": (
        ".",
        ", e o chá fica quente por horas.",
        ", por isso tantos de vocês pedem de novo.",
        "; digam qual cor preferem.",
        ", então não esperem.",
        ", e depois do intervalo veremos os pratos e as tigelas da mesma série, um por um.",
    ),
    "tr": (
        ".",
        ", çayınız saatlerce sıcak kalır.",
        ", bu yüzden tekrar tekrar soruyorsunuz.",
        "; hangi rengi sevdiğinizi yazın.",
        ", o yüzden beklemeyin.",
        ", aradan sonra aynı serinin tabaklarına ve kaselerine tek tek bakacağız.",
    ),
}


def sentences() -> list[tuple[str, str]]:
    """(language, sentence), each once."""
    return [
        (language, opener + closer)
        for language in OPENERS
        for opener, closer in product(OPENERS[language], CLOSERS[language])
    ]
