"""Encodes and decodes header blocks with Python's hpack. Answers each line of its input with one line:

new              a new connection                     -> ok
size N           SETTINGS_HEADER_TABLE_SIZE is N      -> ok
encode FIELD...  a header list                        -> the block in hex
decode HEX       a block                              -> FIELD...

A FIELD is name:value in hex, after a ! when it must never be indexed. What fails is answered with
"error" and why.
"""

import sys

from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple

MAX_LIST_BYTES = 1 << 24


class Codec:
    """Both directions of one connection."""

    def __init__(self):
        self.encoder = Encoder()
        self.decoder = Decoder(max_header_list_size=MAX_LIST_BYTES)

    def size(self, argument):
        self.encoder.header_table_size = int(argument)
        self.decoder.max_allowed_table_size = int(argument)
        return "ok"

    def encode(self, arguments):
        return self.encoder.encode([field_of(word) for word in arguments.split()]).hex()

    def decode(self, argument):
        fields = self.decoder.decode(bytes.fromhex(argument), raw=True)
        return " ".join(word_of(field) for field in fields)


def field_of(word):
    name, value = (bytes.fromhex(text) for text in word.lstrip("!").split(":"))
    kind = NeverIndexedHeaderTuple if word.startswith("!") else HeaderTuple
    return kind(name, value)


def word_of(field):
    mark = "" if field.indexable else "!"
    return f"{mark}{field[0].hex()}:{field[1].hex()}"


def main():
    codec = Codec()
    for line in sys.stdin:
        verb, _, arguments = line.rstrip("\n").partition(" ")
        try:
            if verb == "new":
                codec = Codec()
                result = "ok"
            else:
                result = getattr(codec, verb)(arguments)
        except Exception as error:  # whatever it is, the other side has to hear of it
            result = f"error {type(error).__name__}: {error}"
        print(result)


main()
