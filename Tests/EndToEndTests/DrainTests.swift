// A drain at a pace, as whoever operates it sees it: clients go one after the other, those who are
// silent for longest first; the service manager and the metrics say how many are left.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct DrainTests {
    /// Clients in the order in which they were answered last, each a little later.
    private func clients(_ count: Int, _ connect: () throws -> TestClient) throws -> [TestClient] {
        let clients = try (0..<count).map { _ in try connect() }
        for client in clients {
            #expect(try echoes(client))
            usleep(2500)
        }
        return clients
    }

    private func echoes(_ client: TestClient) throws -> Bool {
        try client.send([1, 2, 3])
        return try client.receive(exactly: 3) == [1, 2, 3]
    }

    /// Waits for the end of each client and answers it.
    ///
    /// - Returns: for each, when FIN was seen, in seconds; `between` is called all the while.
    private func ends(of clients: [TestClient], between: () throws -> Void = {}) throws -> [Double]
    {
        let start = Date()
        var ends = [Double?](repeating: nil, count: clients.count)
        while ends.contains(nil) {
            for (number, client) in clients.enumerated() where ends[number] == nil {
                guard try client.isReadable(withinMilliseconds: 0) else { continue }
                #expect(try client.receive() == [], "FIN, not RST")
                ends[number] = Date().timeIntervalSince(start)
                client.finish()
            }
            try between()
            try #require(Date().timeIntervalSince(start) < 30, "\(ends.count { $0 == nil }) wait")
            usleep(500)
        }
        return ends.compactMap { $0 }
    }

    /// 200 at 100 a second.
    @Test(arguments: ["uring", "epoll"])
    func clientsGoAtThePace(_ backend: String) throws {
        let folder = TemporaryFile()
        let receiver = try Receiver(path: folder.path)
        let served = try Served(
            "    backend: \(backend)\n    drain-rate: 100\n",
            workers: 1,
            environment: ["NOTIFY_SOCKET": folder.path]
        )
        let clients = try clients(200, served.client)
        served.program.signal(SIGTERM)
        try served.program.waitUntilItSays(
            "greet: 200 connections, let go at 100 a second: about 2"
        )
        var left: [Int] = []
        var nextLook = Date()
        let ends = try ends(of: clients) {
            guard Date() > nextLook else { return }
            nextLook = Date().addingTimeInterval(0.3)
            // The endpoint goes with the process, and that with the last client.
            if let count = try? served.sum(of: "ringback_draining_connections") {
                left.append(count)
            }
        }
        let ended = try served.program.wait()
        #expect(ended.status == 0)
        #expect(ended.errors.contains("ends: drain=200"))
        #expect(!ended.errors.contains("--drain-timeout"))

        let all = try #require(ends.max())
        #expect(all > 1.7 && all < 8, "\(all)")
        // Of three in a row the last comes 10 ms and more after the first; a look takes time.
        for (number, end) in ends.enumerated().dropFirst(2) {
            #expect(end > ends[number - 2] - 0.05, "\(number)")
        }
        #expect(left.count >= 3 && left == left.sorted(by: >), "\(left)")
        #expect(Set(left).count > 2 && left[0] <= 200 && left.last! < 120, "\(left)")
        var states: [String] = []
        while let next = receiver.next(withinMilliseconds: 0) { states.append(next) }
        let counts = states.compactMap { line in
            line.firstMatch(of: /STATUS=draining, (\d+) connections? left/).flatMap { Int($0.1) }
        }
        #expect(counts.first.map { (60...130).contains($0) } == true, "\(states)")
        #expect(counts == counts.sorted(by: >))
    }

    /// The old process of an upgrade keeps its connections, and lets them go at the pace when it is
    /// told to stop; a reload lets nobody go.
    @Test func theOldProcessOfAnUpgradeToo() throws {
        let port = UInt16.random(in: 20000..<30000)
        let server = try Server(
            ["--workers", "1", "--drain-rate", "40", "--no-hand-over-connections"],
            listen: "127.0.0.1:\(port)"
        )
        let address = try SocketAddress(parsing: server.address)
        let clients = try clients(40) { try TestClient(address) }
        server.program.signal(SIGUSR2)
        try server.program.waitUntilItSays("takes over")
        for client in clients { #expect(try echoes(client)) }
        let line = server.program.errorsSoFar
        let successor = try #require(line.firstMatch(of: /process (\d+) takes over/)?.1)
        defer { kill(Int32(successor) ?? 0, SIGTERM) }
        server.program.signal(SIGTERM)
        let ends = try ends(of: clients)
        #expect(try #require(ends.max()) > 0.8)
        #expect(try server.program.wait().status == 0)
        let late = try TestClient(address)
        #expect(try echoes(late))
        late.finish()
    }

    @Test func aReloadLetsNobodyGo() throws {
        let served = try Served("    drain-rate: 1000\n")
        let old = try clients(20, served.client)
        try served.reload("    drain-rate: 40\n")
        let new = try clients(20, served.client)
        usleep(200_000)
        for client in old + new { #expect(try echoes(client)) }
        served.program.signal(SIGTERM)
        // Old and new workers share the pace, and it is the new one.
        let ends = try ends(of: old + new)
        #expect(try #require(ends.max()) > 0.8)
        #expect(try served.program.wait().status == 0)
    }

    /// What the time does not suffice for is said beforehand, and when it is at hand.
    @Test func tooLittleTimeIsSaid() throws {
        let served = try Served("    drain-rate: 10\n    drain-timeout: 1s\n")
        let check = try Program.run("ringback", "check", served.file.path)
        #expect(check.status == 0)
        let doubt =
            "--drain-rate 10 lets 9 of 10000 connections go within --drain-timeout 1s, and all "
            + "others at once after 900 ms; for all it takes --drain-timeout 1112s"
        #expect(check.errors.contains("service 'greet': \(doubt)"), "\(check.errors)")
        let clients = try clients(30, served.client)
        served.program.signal(SIGTERM)
        let ends = try ends(of: clients)
        #expect(ends.count { $0 < 0.85 } <= 10)
        let ended = try served.program.wait()
        #expect(ended.status == 0)
        #expect(ended.errors.contains("lets 9 of 30 connections go within --drain-timeout 1s"))
        #expect(ended.errors.contains("ends: drain=30"))
    }

    @Test(arguments: [
        (["--drain-rate=-1"], "--drain-rate must not be negative"),
        (["--drain-rate", "5", "--drain-timeout", "0"], "--drain-rate needs a --drain-timeout"),
        (["--drain-rate", "many"], "drain-rate"),
    ])
    func whatMakesNoSenseIsRefused(_ options: [String], _ words: String) throws {
        let ended = try Program(["ringback", "echo"] + options).wait()
        #expect(ended.status == 2)
        #expect(ended.errors.contains(words))
    }
}
