// CallRule: a system call that a thread may make, and with which arguments. Arguments that are
// addresses cannot be looked into: the thread could change what is there after the look.

/// A call that is allowed.
struct CallRule {
    /// A test of an argument's lower 32 bits.
    struct Test {
        /// Which argument, from 0.
        let argument: Int
        /// The bits that matter.
        var mask: UInt32 = .max
        /// What these may be.
        let values: [UInt32]
    }

    /// The name of the call.
    let call: String
    /// All of these have to hold. A call without tests costs no look at the rules: the kernel knows
    /// from Linux 5.11 on that the answer is always the same. So no call of the hot path has any.
    var tests: [Test] = []

    /// Rules without tests for the calls of a text.
    static func plain(_ text: String) -> [CallRule] {
        text.split { $0 == " " || $0 == "\n" }.map { CallRule(call: String($0)) }
    }
}
