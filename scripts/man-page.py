#!/usr/bin/env python3
"""Makes a manual page of what a program says of itself, so that the page cannot differ from it.

usage: PROGRAM --experimental-dump-help | man-page.py DATE SEE-ALSO... > PAGE
"""
import json
import sys


def plain(text):
    """Text that groff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return text.replace("^", "\\(ha").replace("~", "\\(ti").replace("\n.", "\n\\&.")


def described(text):
    """Paragraphs; lines that are indented are commands, and stay as they are."""
    for paragraph in text.strip().split("\n\n"):
        yield ".PP"
        verbatim = False
        for line in paragraph.split("\n"):
            if line.startswith("  ") != verbatim:
                verbatim = not verbatim
                yield ".EX" if verbatim else ".EE"
            yield plain(line)
        if verbatim:
            yield ".EE"


def spelled(name):
    return ("\\-" if name["kind"] == "short" else "\\-\\-") + plain(name["name"])


def options(command):
    for argument in command.get("arguments", []):
        if not argument.get("shouldDisplay", True):
            continue
        value = "\\fI" + plain(argument.get("valueName", "")) + "\\fR"
        yield ".TP"
        if argument["kind"] == "positional":
            yield value
        else:
            names = ", ".join("\\fB" + spelled(name) + "\\fR" for name in argument["names"])
            yield names + (" " + value if argument["kind"] == "option" else "")
        said = [argument.get("abstract", "")]
        if "allValues" in argument:
            said.append("One of " + ", ".join(argument["allValues"]) + ".")
        if argument["kind"] == "option" and argument.get("defaultValue"):
            said.append("Default: " + argument["defaultValue"] + ".")
        yield plain(" ".join(filter(None, said)))


def page(command, date, related):
    name = command["commandName"]
    shown = [one for one in command.get("subcommands", []) if one["commandName"] != "help"]
    yield f'.TH {name.upper()} 1 "{date}" "{name}" "User Commands"'
    yield ".SH NAME"
    yield f"{name} \\- {plain(command['abstract'].rstrip('.'))}"
    yield ".SH SYNOPSIS"
    for number, one in enumerate(shown):
        yield ".br" if number else ".PP"
        places = [a for a in one["arguments"] if a["kind"] == "positional"]
        values = "".join(f" \\fI{plain(a['valueName'])}\\fR" for a in places)
        yield f"\\fB{name} {plain(one['commandName'])}\\fR [\\fIoptions\\fR]{values}"
    yield ".SH DESCRIPTION"
    yield from described(command.get("discussion", command["abstract"]))
    for one in shown:
        yield f".SH {name.upper()} {plain(one['commandName'].upper())}"
        yield plain(one.get("abstract", ""))
        yield from described(one["discussion"]) if "discussion" in one else ()
        yield from options(one)
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {other} (1)" for other in related).replace(",\n", "\n")


def main():
    _, date, *related = sys.argv
    print("\n".join(page(json.load(sys.stdin)["command"], date, related)))


if __name__ == "__main__":
    main()
