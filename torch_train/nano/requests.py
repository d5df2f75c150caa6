"""How one asks for each of the agent's tools, and what is said without one.

`{...}` are slots that `dialogues.py` fills: `topic`, `Question`, `statement`, `document`, `file`, `address`, `first`
and `last`, and after a request `question`. Plain data. A wording is an opener and a phrase; one in ten belongs to the
test split.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """Ways to ask for one call.

    Attributes:
        tool: Name of the tool.
        arguments: Name of each argument -> the slot that it is copied from, or a fixed value (`=text`).
        phrases: Requests without opener and ending; those that end in a slot of whole sentences take no ending.
        tells: What a question may follow, because the tool's result may answer it.
    """

    tool: str
    arguments: dict[str, str]
    phrases: tuple[str, ...]
    tells: bool = False


OPENERS = ("", "", "", "please ", "can you ", "could you ", "would you ", "will you ", "I want you to ", "now ",
           "I would like you to ", "hello, please ", "and now ", "next, ", "I need you to ")  # fmt: skip
ASKING = ("can you ", "could you ", "would you ", "will you ")  # a question mark ends these
TELLING = (" and tell me {question}", " and say {question}", " and answer this: {Question}", ". {Question}",
           ": {Question}", ", then tell me {question}", " to find out {question}",
           " and find out {question}")  # fmt: skip


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


WAYS: tuple[Way, ...] = (
    Way("search_memory", {"query": "topic"}, _lines("""
        search my notes for {topic}
        search my documents for {topic}
        search memory for {topic}
        search your memory for {topic}
        search what you have read for {topic}
        look in my notes for {topic}
        look in my documents for {topic}
        look for {topic} in my notes
        look for {topic} in my documents
        find {topic} in my notes
        find {topic} in my documents
        find passages about {topic}
        find what my notes say about {topic}
        find the passages on {topic} in my documents
        show me the passages about {topic}
        show me where my documents mention {topic}
        """), tells=True),
    Way("ask_memory", {"question": "Question"}, _lines("""
        ask my documents: {Question}
        ask my notes: {Question}
        ask memory: {Question}
        ask your memory: {Question}
        ask your memory this: {Question}
        ask my documents this: {Question}
        ask my notes this question: {Question}
        answer from my documents: {Question}
        answer from my notes: {Question}
        answer from memory: {Question}
        use my documents to answer: {Question}
        use your memory to answer this: {Question}
        """)),
    Way("list_documents", {}, _lines("""
        list my documents
        list all documents
        list the documents
        list what you have read
        list everything you have read
        show me my documents
        show me all documents
        show me the list of documents
        show me what you have read
        tell me which documents you have
        tell me which documents there are
        tell me what you have read
        name my documents
        name all the documents you have
        """)),
    Way("read_pages", {"document": "document", "first": "first", "last": "last"}, _lines("""
        read pages {first} to {last} of {document}
        read pages {first} to {last} in {document}
        read me pages {first} to {last} of {document}
        open pages {first} to {last} of {document}
        show me pages {first} to {last} of {document}
        show pages {first} to {last} of {document}
        get pages {first} to {last} of {document}
        read {document}, pages {first} to {last}
        show me {document}, pages {first} to {last}
        open {document}, pages {first} to {last}
        """), tells=True),
    Way("read_pages", {"document": "document", "first": "first", "last": "first"}, _lines("""
        read page {first} of {document}
        read page {first} in {document}
        read me page {first} of {document}
        open page {first} of {document}
        show me page {first} of {document}
        show page {first} of {document}
        get page {first} of {document}
        read {document}, page {first}
        show me {document}, page {first}
        open {document}, page {first}
        """), tells=True),
    Way("remember", {"kind": "=text", "content": "statement"}, _lines("""
        remember that {statement}
        remember this: {statement}
        remember: {statement}
        remember the following: {statement}
        keep in mind that {statement}
        keep this in mind: {statement}
        note that {statement}
        note this: {statement}
        note down that {statement}
        add this to my notes: {statement}
        add to my documents: {statement}
        learn that {statement}
        learn this: {statement}
        """)),
    Way("remember", {"kind": "=file", "content": "file"}, _lines("""
        remember {file}
        remember the file {file}
        add {file} to my documents
        add the file {file} to my documents
        add {file} to your memory
        absorb {file}
        absorb the file {file}
        learn {file}
        learn the file {file}
        keep {file} in mind
        put {file} into my library
        put the file {file} into my documents
        """)),
    Way("remember", {"kind": "=address", "content": "address"}, _lines("""
        remember {address}
        remember the page {address}
        add {address} to my documents
        add the page {address} to my documents
        add {address} to your memory
        absorb {address}
        absorb the page {address}
        learn {address}
        learn the page {address}
        keep {address} in mind
        put {address} into my library
        put the page {address} into my documents
        """)),
    Way("forget", {"document": "document"}, _lines("""
        forget {document}
        forget the document {document}
        forget about {document}
        remove {document}
        remove {document} from my documents
        remove the document {document}
        delete {document}
        delete {document} from my documents
        delete the document {document}
        take {document} out of my documents
        take {document} out of your memory
        """)),
    Way("web_search", {"query": "topic"}, _lines("""
        search the web for {topic}
        search the internet for {topic}
        search online for {topic}
        look on the web for {topic}
        look on the internet for {topic}
        look online for {topic}
        look for {topic} on the web
        look for {topic} on the internet
        look for {topic} online
        look up {topic} on the web
        look up {topic} online
        find {topic} on the web
        find {topic} on the internet
        find {topic} online
        find web pages about {topic}
        find pages on the web about {topic}
        """), tells=True),
    Way("web_search", {"query": "Question"}, _lines("""
        search the web: {Question}
        search online: {Question}
        search the internet: {Question}
        ask the web: {Question}
        ask the internet: {Question}
        look this up on the web: {Question}
        look this up online: {Question}
        answer from the web: {Question}
        use the web to answer: {Question}
        use the internet to answer this: {Question}
        """)),
    Way("web_fetch", {"address": "address"}, _lines("""
        read {address}
        read the page {address}
        read the web page {address}
        read the page at {address}
        open {address}
        open the page {address}
        open the page at {address}
        fetch {address}
        fetch the page {address}
        fetch the web page {address}
        get {address}
        get the page {address}
        visit {address}
        visit the page {address}
        go to {address}
        look at {address}
        look at the page {address}
        load {address}
        """), tells=True),
)  # fmt: skip

# Said to the model -> what it says. No tool is due.
SMALL_TALK: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (("Hello", "Hi", "Good morning", "Good evening", "Good day", "Hello again", "Hi again", "Greetings"),
     ("", " Thoth", ", Thoth", " there", " my friend", ", you there", " to you", " everybody"), "Hello."),
    (("Thank you", "Thanks", "Many thanks", "Thank you so much", "Thanks a lot", "Very good", "Well done", "Great"),
     ("", ", Thoth", ", my friend", ", that was right", " for this", ", that is all", " for the answer", " again"),
     "You are welcome."),
    (("Goodbye", "Bye", "See you", "Good night", "Bye for now", "Farewell", "Until tomorrow", "So long"),
     ("", ", Thoth", ", my friend", " and thank you", " then", ", see you later", " and take care", " for today"),
     "Goodbye."),
    (("What can you do", "What are you", "Who are you", "What do you do", "How do you work", "How can you be of use",
      "What are you able to do", "What are you good at"),
     ("", ", Thoth", " here", " for me", " today", " all day", " in this place", " then"),
     "I remember what you give me, search it and the web, and read pages."),
    (("How are you", "Are you well", "How do you feel", "How is it going", "How was your day", "Are you there",
      "Are you awake", "Is all well"),
     ("", ", Thoth", " today", " this morning", ", my friend", " now", " this evening", " at the moment"),
     "I am well."),
)  # fmt: skip
SEEN = "I see."  # to a statement that nobody asks to keep
FOUND = "This is what I found."
READ = "I have read it."
KEPT = "I will remember it."
FORGOTTEN = "It is forgotten."
LISTED = "These are your documents."
REFUSED = "I was not allowed to do that."
FAILED = "That did not work."
MISSING = "I have no tool for that."
