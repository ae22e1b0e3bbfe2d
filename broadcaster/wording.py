"""What is wrong with a value, in the words of those who write YAML and not Python.

In: one error of pydantic's, without its input, which may be a secret. Out: what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

VALUE_ERROR = "Value error, "  # pydantic puts it before our own words

TYPES: Mapping[str, str] = {
    "string_type": "write text, in quotes if it looks like a number",
    "int_type": "write a whole number, as 3000",
    "int_parsing": "write a whole number, as 3000",
    "int_from_float": "write a whole number, as 3000",
    "float_type": "write a number, as 1.5",
    "float_parsing": "write a number, as 1.5",
    "finite_number": "write a number, as 1.5",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "path_type": "write the name of a file or directory",
    "tuple_type": "write a list, as [one, two]",
    "list_type": "write a list, as [one, two]",
    "model_type": "write keys and values below it",
    "model_attributes_type": "write keys and values below it",
    "dict_type": "write keys and values below it",
    "missing": "it is required and missing",
    "string_pattern_mismatch": "letters, digits, '-' and '_' alone, beginning with a letter or digit; at most 32",
}
BOUNDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda given: f"at least {given['ge']:g}",
    "greater_than": lambda given: f"more than {given['gt']:g}",
    "less_than_equal": lambda given: f"at most {given['le']:g}",
    "less_than": lambda given: f"less than {given['lt']:g}",
    "string_too_short": lambda given: f"at least {given['min_length']} character(s)",
    "string_too_long": lambda given: f"at most {given['max_length']} characters",
    "too_short": lambda given: f"a list of at least {given['min_length']}",
    "too_long": lambda given: f"a list of at most {given['max_length']}",
    "literal_error": lambda given: f"choose from {str(given['expected']).replace(' or ', ', ')}",
}


def worded(error: Mapping[str, Any]) -> str:
    """What would be right. Our own words stay as they are."""
    kind = error["type"]
    if kind in TYPES:
        return TYPES[kind]
    if kind in BOUNDS:
        return BOUNDS[kind](error["ctx"])
    return str(error["msg"]).removeprefix(VALUE_ERROR)
