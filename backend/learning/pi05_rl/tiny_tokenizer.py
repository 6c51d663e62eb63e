"""The tokenizer of the `tiny` model: made in memory, no download.

State reaches π0.5 only as integers in the prompt, so each of 0 … 255 is one token of its own; so
are the words of the prompt and of the advantage. Other words are spelled letter by letter, so two
tasks never look alike.
"""

import string

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

PAD, BOS, UNKNOWN = "<pad>", "<bos>", "<unk>"
PROMPT_WORDS = ("Task", "State", "Advantage", "Action", "very", "positive", "negative", "neutral")


def tiny_tokenizer_json() -> str:
    """Return the tokenizer in the `tokenizer.json` format of the `tokenizers` library."""
    pieces = [PAD, BOS, UNKNOWN, *PROMPT_WORDS, *(str(number) for number in range(256))]
    letters = string.ascii_letters + string.punctuation
    pieces += list(letters)
    pieces += [f"##{character}" for character in string.ascii_letters + string.digits + "_"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFKD()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, vocabulary[BOS])]
    )
    tokenizer.add_special_tokens([PAD, BOS, UNKNOWN])
    return tokenizer.to_str()
