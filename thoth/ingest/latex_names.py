"""What the commands of LaTeX mean: sections, letters, accents, units, and which arguments are no text."""

# Command -> level.
SECTIONS = {
    "part": 1,
    "chapter": 1,
    "section": 2,
    "subsection": 3,
    "subsubsection": 4,
    "paragraph": 5,
    "subparagraph": 6,
    "frametitle": 3,
}

LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł",
    "L": "Ł",
    "i": "ı", "j": "ȷ", "ldots": "…", "dots": "…", "textellipsis": "…", "LaTeX": "LaTeX", "TeX": "TeX", "S": "§",
    "P": "¶",
    "copyright": "©", "pounds": "£", "euro": "€", "EUR": "€", "texteuro": "€", "textdegree": "°", "degree": "°",
    "dag": "†",
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textbar": "|", "textless": "<",
    "textgreater": ">", "textunderscore": "_", "textendash": "–", "textemdash": "—", "textquotesingle": "'",
    "guillemotleft": "«", "guillemotright": "»", "quad": " ", "qquad": " ", "enspace": " ", "space": " ",
    "textregistered": "®",
    "texttrademark": "™", "textperiodcentered": "·", "textbullet": "•", "textmu": "µ", "checkmark": "✓",
    "slash": "/", "textsterling": "£", "textyen": "¥", "textcent": "¢", "textdollar": "$", "textsection": "§",
    "textparagraph": "¶", "textonehalf": "½", "textonequarter": "¼", "textthreequarters": "¾", "textcelsius": "°C",
    "texttimes": "×", "textdiv": "÷", "textpm": "±", "textohm": "Ω", "textquotedblleft": "“", "textquotedblright": "”",
    "textquoteleft": "‘", "textquoteright": "’", "quotedblbase": "„", "glqq": "„", "grqq": "“", "glq": "‚", "grq": "‘",
    "flqq": "«", "frqq": "»", "textexclamdown": "¡", "textquestiondown": "¿", "dh": "ð", "DH": "Ð", "th": "þ",
    "TH": "Þ", "ddag": "‡", "textdagger": "†", "textrightarrow": "→", "textleftarrow": "←", "thinspace": " ",
    "nobreakspace": "\u00a0", "textordfeminine": "ª", "textordmasculine": "º",
    "newline": "\n", "linebreak": "\n", "par": "\n\n", "newpage": "\n\n", "clearpage": "\n\n",
}  # fmt: skip

ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
            "c": "\u0327", "v": "\u030c", "H": "\u030b", "r": "\u030a", "u": "\u0306", "k": "\u0328", "d": "\u0323",
            "b": "\u0331"}  # fmt: skip

# Of the package siunitx.
UNITS = {
    "pico": "p", "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "hecto": "h", "kilo": "k",
    "mega": "M", "giga": "G", "tera": "T", "per": "/", "squared": "^2", "cubed": "^3", "square": "", "cubic": "",
    "metre": "m", "meter": "m", "gram": "g", "second": "s", "minute": "min", "hour": "h", "day": "d", "litre": "l",
    "liter": "l", "ampere": "A", "kelvin": "K", "mole": "mol", "candela": "cd", "hertz": "Hz", "newton": "N",
    "pascal": "Pa", "joule": "J", "watt": "W", "volt": "V", "ohm": "Ω", "farad": "F", "tesla": "T", "celsius": "°C",
    "degreeCelsius": "°C", "degree": "°", "percent": "%", "bar": "bar", "tonne": "t", "electronvolt": "eV",
    "byte": "B", "bit": "bit", "decibel": "dB",
}  # fmt: skip

# Command of siunitx -> how many numbers and units it takes.
QUANTITIES = {"num": 1, "si": 1, "unit": 1, "ang": 1, "SI": 2, "qty": 2, "numrange": 2, "SIrange": 3, "qtyrange": 3}

# Name -> how many arguments that are not text.
ARGUMENTS = {
    "label": 1, "vspace": 1, "hspace": 1, "includegraphics": 1, "usepackage": 1, "documentclass": 1, "input": 1,
    "include": 1,
    "bibliographystyle": 1, "bibliography": 1, "pagestyle": 1, "thispagestyle": 1, "setlength": 2, "setcounter": 2,
    "addtocounter": 2, "addtolength": 2, "hypersetup": 1, "color": 1, "textcolor": 1, "colorbox": 1, "cline": 1,
    "cmidrule": 1, "index": 1, "phantom": 1, "hphantom": 1, "vphantom": 1, "newcommand": 2, "renewcommand": 2,
    "providecommand": 2, "newenvironment": 3, "definecolor": 3, "graphicspath": 1, "geometry": 1, "fontsize": 2,
    "selectlanguage": 1, "rule": 2, "pagenumbering": 1, "addcontentsline": 3, "multicolumn": 2, "multirow": 2,
    "raisebox": 1, "rowcolor": 1, "cellcolor": 1, "columncolor": 1, "addlinespace": 0, "hyphenation": 1, "vskip": 0,
    "parbox": 1, "resizebox": 2, "scalebox": 1, "newtheorem": 2, "theoremstyle": 1, "bibinfo": 1, "hypertarget": 1,
    "hyperlink": 1, "href": 1, "foreignlanguage": 1, "captionsetup": 1, "lstset": 1, "sisetup": 1, "tikzset": 1,
}  # fmt: skip

# Environment -> how many arguments that are not text.
LAYOUTS = {
    "minipage": 1, "multicols": 1, "adjustwidth": 1, "subfigure": 1, "subtable": 1, "wrapfigure": 2, "wraptable": 2,
    "column": 1, "spacing": 1, "otherlanguage": 1, "otherlanguage*": 1, "list": 2, "adjustbox": 1, "tabbing": 0,
    "CJK": 2, "CJK*": 2, "labeling": 1, "algorithmic": 0, "shadebox": 0, "turn": 1, "rotate": 1, "figwindow": 1,
}  # fmt: skip
# What has lines of its own in a letter and a presentation.
LINES = {"opening", "closing", "ps", "encl", "cc", "framesubtitle", "subtitle"}

# How a list is numbered.
STYLES = {"arabic": "decimal", "alph": "lower-alpha", "Alph": "upper-alpha", "roman": "lower-roman",
           "Roman": "upper-roman", "1": "decimal", "a": "lower-alpha", "A": "upper-alpha", "i": "lower-roman",
           "I": "upper-roman"}  # fmt: skip
