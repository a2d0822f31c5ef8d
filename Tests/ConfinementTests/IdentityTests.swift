// Who a process is asked to become: what is understood, and what is refused with which words.

import Confinement
import Testing

struct IdentityTests {
    @Test func aUserBringsItsGroup() throws {
        let root = Identity.mistake(in: "root")
        #expect(root?.description == "root gives up nothing: name a user that may do less")
        let nobody = try Identity(parsing: "nobody")
        #expect(nobody.user == 65534 && nobody.name == "nobody")
        #expect(try Identity(parsing: "nobody:daemon").group != nobody.group)
    }

    @Test func numbersNeedNoDatabase() throws {
        let found = try Identity(parsing: "4000001:4000002")
        #expect(found.user == 4_000_001 && found.group == 4_000_002)
        let alone = #expect(throws: IdentityError.self) { try Identity(parsing: "4000001") }
        #expect(alone?.description.contains("4000001:4000001") == true)
        // A number that the databases know has the group that they say.
        #expect(try Identity(parsing: "65534") == Identity(parsing: "65534"))
    }

    @Test(arguments: [
        ("", "'' is no user"), ("a:b:c", "'a:b:c' is no user"), (":x", "':x' is no user"),
        ("nobody:", "'nobody:' is no user"), ("no-such-one", "there is no user called"),
        ("nobody:no-such-one", "there is no group called"), ("0", "root gives up nothing"),
        ("0:0", "root gives up nothing"), ("root", "root gives up nothing"),
    ])
    func otherTextsAreRefused(_ text: String, _ why: String) {
        let error = #expect(throws: IdentityError.self) { try Identity(parsing: text) }
        #expect(error?.description.hasPrefix(why) == true, "\(String(describing: error))")
    }

    @Test func whatNeedsNoDatabaseIsSaidWithoutOne() {
        #expect(Identity.mistake(in: "no-such-one") == nil)
        #expect(Identity.mistake(in: "nobody:nogroup") == nil)
        #expect(Identity.mistake(in: "0:5") != nil && Identity.mistake(in: "a:b:c") != nil)
    }
}
