// S6: slow, huge, binary and a thousandfold requests to the admin endpoint, while a load checks
// every byte of the service beside it. The service does not notice, and whoever asks in order is
// answered.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(2)))
struct AdminLoadTests {
    /// Clients of the worst kind, until they are ended.
    private static let rude = """
        import os, random, socket, sys, time
        address = ("127.0.0.1", int(sys.argv[1]))
        held = []
        while True:
            try:
                s = socket.create_connection(address, 1)
                s.setblocking(False)
                kind = random.randrange(5)
                if kind == 0: s.send(b"G")
                elif kind == 1: s.send(b"GET /" + b"a" * 60000)
                elif kind == 2: s.send(os.urandom(2000))
                elif kind == 3: s.send(b"GET /metrics HTTP/1.1\\r\\n\\r\\n")
                held.append(s)
            except OSError:
                pass
            while len(held) > 1000: held.pop(random.randrange(len(held))).close()
            time.sleep(0.0005)
        """

    @Test(arguments: ["uring", "epoll"])
    func theServiceDoesNotNotice(_ backend: String) throws {
        let port = UInt16.random(in: 20000..<25000)
        let adminPort = port + 5000
        let file = TemporaryFile()
        try """
        admin: 127.0.0.1:\(adminPort)
        services:
          greet: {type: echo, listen: "127.0.0.1:\(port)", workers: 1, backend: \(backend)}
        """.write(toFile: file.path, atomically: false, encoding: .utf8)
        let served = try Program(["ringback", "serve", "--config", file.path])
        try served.waitUntilItSays("try: nc")
        func load() throws -> Program {
            try Program([
                "ringload", "rr", "127.0.0.1:\(port)", "--verify", "--connections", "64",
                "--duration", "4s",
            ])
        }
        func judge(_ load: Program) throws -> Substring {
            let ended = try load.wait()
            #expect(ended.status == 0 || ended.status == 4, "\(ended.output)\(ended.errors)")
            #expect(ended.output.contains("lost=0 foreign=0 reordered=0"), "\(ended.output)")
            #expect(ended.output.contains("errors       none"), "\(ended.output)")
            return ended.output.split(separator: "\n").first { $0.hasPrefix("messages") } ?? ""
        }
        let alone = try judge(load())
        let rude = try Program(["python3", "-c", Self.rude, "\(adminPort)"])
        let beside = try load()
        // Somebody asks in order all the while.
        let address = try SocketAddress(parsing: "127.0.0.1:\(adminPort)")
        var answered = 0
        for _ in 0..<20 {
            let client = try TestClient(address, timeoutSeconds: 2)
            try client.send(Array("GET /healthz HTTP/1.1\r\n\r\n".utf8))
            if let answer = try? client.receiveToEnd(), !answer.isEmpty { answered += 1 }
            usleep(150_000)
        }
        let flooded = try judge(beside)
        rude.signal(SIGKILL)
        print("S6 backend=\(backend) alone='\(alone)' beside='\(flooded)' answered=\(answered)")
        #expect(answered == 20)
        served.signal(SIGTERM)
        #expect(try served.wait().status == 0)
    }
}
