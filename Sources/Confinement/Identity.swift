// Identity: the user that a process becomes when it has what only root can have, such as a port
// below 1024. What root could do it cannot do from then on, nor get back.

import CLinux
import Glibc
public import Net

/// A user, with the groups that go with it.
public struct Identity: Equatable, Sendable {
    /// The number of the user.
    public let user: UInt32
    /// The number of the group.
    public let group: UInt32
    /// What people call the user.
    public let name: String
    /// Whose further groups come along; nil where none do.
    private let groupsOf: String?

    /// Finds `name`, `name:group`, or the same with numbers, in the databases of this host
    /// (getpwnam(3)). Without a group the user has those that the databases give it, with one it
    /// has that alone. A number that is no user there has to have one.
    public init(parsing text: String) throws(IdentityError) {
        let (name, groupName) = try Identity.parts(of: text)
        var found = clinux_user()
        let number = UInt32(name)
        let result =
            number.map { clinux_find_user(nil, $0, &found) }
            ?? clinux_find_user(name, 0, &found)
        let isKnown = result == 0
        guard let user = number ?? (isKnown ? found.user : nil) else {
            throw IdentityError("there is no user called '\(name)' on this host")
        }
        if let groupName {
            var group: UInt32 = 0
            if let number = UInt32(groupName) {
                group = number
            } else if clinux_find_group(groupName, &group) != 0 {
                throw IdentityError("there is no group called '\(groupName)' on this host")
            }
            self.group = group
            groupsOf = nil
        } else {
            guard isKnown else {
                throw IdentityError(
                    "user \(user) is in no database of this host: say the group too, such as "
                        + "\(user):\(user)"
                )
            }
            group = found.group
            groupsOf = withUnsafeBytes(of: found.name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
        }
        guard user != 0 else { throw IdentityError.isRoot }
        self.user = user
        self.name = name
    }

    /// What is wrong with such a text, as far as that can be said without a database.
    public static func mistake(in text: String) -> IdentityError? {
        do throws(IdentityError) {
            let name = try parts(of: text).name
            return name == "root" || UInt32(name) == 0 ? .isRoot : nil
        } catch {
            return error
        }
    }

    private static func parts(
        of text: String
    ) throws(IdentityError) -> (name: String, group: String?) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
            throw IdentityError("'\(text)' is no user, such as nobody or nobody:nogroup")
        }
        return (parts[0], parts.count == 2 ? parts[1] : nil)
    }

    /// Whether the process is that user in that group already, as a successor is.
    public var isCurrent: Bool {
        getuid() == user && geteuid() == user && getgid() == group && getegid() == group
    }

    /// Whether the process may become somebody else: whether it is root.
    public static var canChange: Bool { geteuid() == 0 }

    /// Becomes the user, in all threads, and gives up root's capabilities, in the calling one: it
    /// is called before there is another. Memory may be locked as before.
    public func assume() throws(SystemError) {
        // Root is not bound by the limit; the rings of the one who is no more would be.
        _ = clinux_unlimit_locked_memory()
        try SystemError.check("setresuid", clinux_become(user, group, groupsOf))
        try SystemError.check("capset", clinux_drop_capabilities())
    }
}

/// Why a text is no user to become.
public struct IdentityError: Error, Equatable, CustomStringConvertible {
    /// In one line.
    public let description: String

    init(_ description: String) { self.description = description }

    static let isRoot = IdentityError("root gives up nothing: name a user that may do less")
}
