// What is wrong with files: all of it, each thing with the line and column where it has to be
// mended.

import Foundation
import Testing

@testable import Configuration

struct RefusalTests {
    /// The keys are those of a service of type toy, in lines 4 and following.
    private func service(_ lines: String...) -> [String] {
        let keys = lines.map { "    " + $0 }
        return refusal((["services:", "  one:", "    type: toy"] + keys).joined(separator: "\n"))
    }

    @Test func valuesAreTriedOneByOne() {
        #expect(
            service("idle-timeout: x", "fast: yes", "pin:", "listen: [a, [b], {c: d}, ~]")
                == [
                    "f:4:19: The value 'x' is invalid for '--idle-timeout <idle-timeout>'",
                    "f:5:11: 'fast' has to be true or false, not 'yes'",
                    "f:6:9: 'pin' has no value",
                    "f:7:17: 'listen' takes values, not lists of them",
                    "f:7:22: 'listen' takes a value, not a mapping",
                    "f:7:30: 'listen' has no value",
                ]
        )
    }

    @Test func shapesHaveToFit() {
        #expect(
            service("idle-timeout: [1, 2]", "owner: {a: b}", "listen: []")
                == [
                    "f:4:19: 'idle-timeout' takes one value, not a list",
                    "f:5:12: 'owner' takes a value, not a mapping",
                    "f:6:13: 'listen' has an empty list; leave it out instead",
                ]
        )
        #expect(service("listen: one") == [], "one value is a list of one")
        #expect(service("owner: \"\"") == ["f:4:12: Missing value for '--owner <owner>'"])
        #expect(service("owner: off", "idle-timeout: 0") == [], "words stay what they are")
    }

    @Test func keysHaveToExist() {
        #expect(
            service("idle-timeuot: 1", "no-pin: true", "to: x", "colour: red", "? [a]\n    : 1")
                == [
                    "f:4:5: unknown key 'idle-timeuot'; did you mean 'idle-timeout'?",
                    "f:5:5: unknown key 'no-pin'; write 'pin: false'",
                    "f:6:5: 'to' is of type other, not of toy",
                    "f:7:5: unknown key 'colour'",
                    "f:8:7: a key has to be a word",
                ]
        )
        let lines = refusal("servics: 1\nidle-timeout: 3\ndefaults: {fsat: true, to: 1}\nadmin: x")
        #expect(
            lines == [
                "f:1:1: unknown key 'servics'; did you mean 'services'?",
                "f:1:1: there are no services; they are written under the key 'services'",
                "f:2:1: unknown key 'idle-timeout'; what services have in common is written "
                    + "under 'defaults'",
                "f:3:12: unknown key 'fsat'; did you mean 'fast'?",
                "f:4:8: The value 'x' is invalid for '--admin <admin>'",
            ]
        )
    }

    /// The parser knows the first of them only.
    @Test func everyKeyIsThereOnce() {
        let lines = service("fast: true", "\"fast\": x", "owner: a", "fast: false", "owner: b")
        #expect(
            lines == [
                "f:5:5: 'fast' is there twice; the first is in line 4",
                "f:7:5: 'fast' is there twice; the first is in line 4",
                "f:8:5: 'owner' is there twice; the first is in line 6",
            ]
        )
        let flow = refusal("services: {a: {type: toy}, a: {type: toy, pin: x}, a: {type: toy}}")
        #expect(
            flow == [
                "f:1:28: 'a' is there twice; the first is in line 1",
                "f:1:52: 'a' is there twice; the first is in line 1",
            ]
        )
        #expect(
            refusal("\"\": 1\n\"\": 2") == ["f:1:1: '' is there twice"],
            "what cannot be renamed is told alone"
        )
    }

    @Test(arguments: [
        ("services:\n  one: {}", "f:2:3: service 'one' has no type; 'type' is toy or other"),
        (
            "services:\n  one:\n    type: tyo",
            "f:3:11: unknown type 'tyo': it is toy or other; "
                + "did you mean 'toy'?"
        ),
        ("services:\n  one:\n    type: [toy]", "f:3:11: 'type' is toy or other"),
        ("services:\n  one: 3", "f:2:8: 'one' has to be a mapping of options"),
        ("services:\n  - one", "f:2:3: 'services' has to be a mapping of services"),
        ("services: {}", "f:1:1: there are no services under 'services'"),
        ("services:", "f:1:1: there are no services under 'services'"),
        (
            "defaults: []\nservices: {a: {type: toy}}",
            "f:1:11: 'defaults' has to be a mapping of options"
        ),
        ("- services", "f:1:1: a file is a mapping with the key 'services'"),
        (
            "services: {A_b: {type: toy}}",
            "f:1:12: the service's name 'A_b' has to be 1 to 32 "
                + "letters a to z, digits and dashes"
        ),
        ("services: {a: {type: !include x}}", "f:1:22: tags such as '!include' are not read"),
    ])
    func filesHaveTheirForm(_ text: String, _ line: String) {
        #expect(refusal(text).first == line)
    }

    @Test func nobodyElseIsBlamedForOneMistake() {
        #expect(
            refusal("services: {a: {type: other, too: x}, b: {type: other}}")
                == [
                    "f:1:29: unknown key 'too'; did you mean 'to'?",
                    "f:1:38: service 'b': --to is missing",
                ],
            "that 'a' lacks --to is said already"
        )
    }

    @Test func whatOnlyTheWholeCanSay() {
        #expect(
            service("owner: nobody", "idle-timeout: 7")
                == ["f:4:5: --owner nobody cannot have --idle-timeout 7"]
        )
        #expect(
            service("fast: true", "idle-timeout: -1")
                == [
                    "f:2:3: service 'one': it is -1",
                    "f:5:5: service 'one': --idle-timeout must not be negative",
                ]
        )
        #expect(
            refusal("admin: 13\nservices: {lonely: {type: toy, listen: x}, b: {type: toy}}")
                == ["f:1:1: --admin must not be 13", "f:2:32: 'lonely' has company"]
        )
    }

    @Test func otherLayersAreNamedByTheirOrigin() {
        let file = "services: {one: {type: toy}}"
        #expect(
            refusal(file, environment: ["TOY_IDLE_TIMEOUT": "x", "TOY_FAST": "1"])
                == [
                    "TOY_FAST: 'fast' has to be true or false, not '1'",
                    "TOY_IDLE_TIMEOUT: The value 'x' is invalid for "
                        + "'--idle-timeout <idle-timeout>'",
                ]
        )
        #expect(
            refusal(file, environment: ["TOY_IDLE_TIMEOUT": "-1"]).first
                == "TOY_IDLE_TIMEOUT: service 'one': --idle-timeout must not be negative"
        )
        let flags = ["--idle-timeout", "x", "--fsat", "x", "--owner", "--pin=3", "y", "--listen"]
        #expect(
            refusal(file, flags: flags)
                == [
                    "The value 'x' is invalid for '--idle-timeout <idle-timeout>'",
                    "Unknown option '--fsat'; did you mean '--fast'?",
                    "Missing value for '--owner'",
                    "Unknown option '--pin=3'",
                    "Missing value for '--listen'",
                ]
        )
    }

    /// A message is a line, whatever somebody writes.
    @Test func nothingBreaksALine() {
        let lines = service(#""a\nb\e[31m": 1"#)
        #expect(lines == [#"f:4:5: unknown key 'a\nb\u{1B}[31m'"#])
    }
}
