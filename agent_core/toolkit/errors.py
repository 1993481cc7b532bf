"""How a tool fails."""


class ToolError(Exception):
    """A call failed in a way that the tool foresaw.

    `code` is one of `agent_core.signature.ERROR_CLASSES`; `case` picks another of the spec's
    templates for the same class (`no_match_several`); `fields` fill the template.
    """

    def __init__(self, code: str, *, case: str = "", **fields: object) -> None:
        super().__init__(code)
        self.code = code
        self.template = f"{code}_{case}" if case else code
        self.fields = fields
