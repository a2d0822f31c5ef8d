// CallFilter: rules as a program of the kernel's (seccomp(2)). Calls are found by halving: a call
// that is always allowed the kernel looks up without running the program, any other costs some ten
// instructions.

import CLinux
public import Net

/// Which calls a thread may make.
public struct CallFilter: Sendable {
    /// The program.
    let instructions: [clinux_instruction]

    /// Numbers from this one on were given out after this was written.
    private static let firstUnknown: UInt32 = 463

    private enum Verdict {
        case allowed
        /// EPERM.
        case refused
        /// ENOSYS: the C library then goes on without the call.
        case absent
        case tested([CallRule.Test])

        var isTested: Bool {
            if case .tested = self { true } else { false }
        }
    }

    /// What is not allowed fails with EPERM.
    ///
    /// - Parameter absent: calls that fail as on a kernel that does not have them; so do all that
    ///   are newer than this program.
    init(_ rules: [CallRule], absent: [String] = []) {
        var verdicts: [UInt32: Verdict] = [:]
        for rule in rules {
            // Not every architecture has every call.
            guard let number = CallFilter.number(of: rule.call) else { continue }
            verdicts[number] = rule.tests.isEmpty ? .allowed : .tested(rule.tests)
        }
        for number in absent.compactMap(CallFilter.number(of:)) { verdicts[number] = .absent }
        let segments = CallFilter.segments(verdicts)
        instructions =
            [
                .load(offset: 4), .jumpIfEqual(clinux_architecture(), 1, 0), .refuse,
                .load(offset: 0),
            ] + CallFilter.search(segments[...])
    }

    /// The number of a call here; nil where this architecture has none of that name.
    static func number(of call: String) -> UInt32? {
        UInt32(exactly: clinux_call_number(call))
    }

    /// Numbers in order, those of one verdict together, each with the first of its numbers.
    private static func segments(
        _ verdicts: [UInt32: Verdict]
    ) -> [(first: UInt32, verdict: Verdict)] {
        var segments: [(first: UInt32, verdict: Verdict)] = []
        for number in 0...firstUnknown {
            let verdict = number == firstUnknown ? .absent : verdicts[number] ?? .refused
            let isSame =
                switch (segments.last?.verdict, verdict) {
                case (.allowed, .allowed), (.refused, .refused), (.absent, .absent): true
                default: false
                }
            if !isSame { segments.append((number, verdict)) }
        }
        return segments
    }

    private static func search(
        _ segments: ArraySlice<(first: UInt32, verdict: Verdict)>
    ) -> [clinux_instruction] {
        guard segments.count > 1 else { return answer(segments.first!.verdict) }
        let middle = segments.startIndex + segments.count / 2
        let (below, above) = (search(segments[..<middle]), search(segments[middle...]))
        let first = segments[middle].first
        // A jump with a condition reaches 255 instructions.
        guard below.count > 255 else {
            return [.jumpIfAtLeast(first, UInt8(below.count), 0)] + below + above
        }
        return [.jumpIfAtLeast(first, 0, 1), .jump(UInt32(below.count))] + below + above
    }

    private static func answer(_ verdict: Verdict) -> [clinux_instruction] {
        switch verdict {
        case .allowed: [.allow]
        case .refused: [.refuse]
        case .absent: [.sayAbsent]
        case .tested(let tests): tests.flatMap(holds) + [.allow]
        }
    }

    /// Goes on behind its end where a test holds.
    private static func holds(_ test: CallRule.Test) -> [clinux_instruction] {
        // Both architectures are little-endian.
        let load: [clinux_instruction] = [
            .load(offset: UInt32(16 + 8 * test.argument)), .and(test.mask),
        ]
        let count = test.values.count
        return load
            + test.values.enumerated().map { .jumpIfEqual($1, UInt8(count - $0), 0) } + [.refuse]
    }

    /// Holds the calling thread to the rules, and those that it starts from now on.
    public func install() throws(SystemError) {
        try SystemError.check(
            "seccomp",
            clinux_install_filter(instructions, UInt16(instructions.count))
        )
    }

    /// Tells a filter from others.
    var fingerprint: UInt64 {
        instructions.reduce(0xcbf2_9ce4_8422_2325) { hash, instruction in
            let shape =
                UInt64(instruction.code) << 48 | UInt64(instruction.jump_true) << 40
                | UInt64(instruction.jump_false) << 32 | UInt64(instruction.value)
            return (hash ^ shape) &* 0x100_0000_01b3
        }
    }
}

extension clinux_instruction {
    // linux/bpf_common.h and linux/seccomp.h.
    fileprivate static let allow = clinux_instruction.answer(0x7fff_0000)
    fileprivate static let refuse = clinux_instruction.answer(0x0005_0000 | 1)
    fileprivate static let sayAbsent = clinux_instruction.answer(0x0005_0000 | 38)

    private static func answer(_ value: UInt32) -> clinux_instruction {
        clinux_instruction(code: 0x06, jump_true: 0, jump_false: 0, value: value)
    }

    fileprivate static func load(offset: UInt32) -> clinux_instruction {
        clinux_instruction(code: 0x20, jump_true: 0, jump_false: 0, value: offset)
    }

    fileprivate static func and(_ mask: UInt32) -> clinux_instruction {
        clinux_instruction(code: 0x54, jump_true: 0, jump_false: 0, value: mask)
    }

    fileprivate static func jump(_ count: UInt32) -> clinux_instruction {
        clinux_instruction(code: 0x05, jump_true: 0, jump_false: 0, value: count)
    }

    fileprivate static func jumpIfEqual(
        _ value: UInt32,
        _ then: UInt8,
        _ otherwise: UInt8
    ) -> clinux_instruction {
        clinux_instruction(code: 0x15, jump_true: then, jump_false: otherwise, value: value)
    }

    fileprivate static func jumpIfAtLeast(
        _ value: UInt32,
        _ then: UInt8,
        _ otherwise: UInt8
    ) -> clinux_instruction {
        clinux_instruction(code: 0x35, jump_true: then, jump_false: otherwise, value: value)
    }
}
