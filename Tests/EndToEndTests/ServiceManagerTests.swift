// The service under a manager such as systemd: it says how it is, and goes on with sockets that the
// manager listens on already. A few lines of Python and a socket of the test stand in for it.

import Foundation
import Net
import Support
import Testing

@Suite(.serialized, .enabled(if: Place.hasBinaries), .timeLimit(.minutes(1)))
struct ServiceManagerTests {
    /// Starts the service by a shell that hands over a listening socket as descriptor 3.
    ///
    /// - Parameter arguments: of the service, from the socket's port.
    private func activated(
        _ names: String,
        _ arguments: (UInt16) -> [String]
    ) throws -> (Program, UInt16) {
        let port = UInt16.random(in: 20000..<30000)
        let script = """
            import os, socket, sys
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", \(port)))
            listener.listen(16)
            early = socket.create_connection(("127.0.0.1", \(port)))
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
            os.environ["LISTEN_FDNAMES"] = "\(names)"
            os.execvp(sys.argv[1], sys.argv[1:])
            """
        let command = ["python3", "-c", script, "ringback", "echo"] + arguments(port)
        return (try Program(command), port)
    }

    @Test(arguments: ["uring", "epoll"])
    func goesOnWithASocketByName(_ backend: String) throws {
        try goesOn(backend) { _ in "systemd:greet" }
    }

    @Test(arguments: ["uring", "epoll"])
    func goesOnWithASocketByAddress(_ backend: String) throws {
        try goesOn(backend) { "127.0.0.1:\($0)" }
    }

    private func goesOn(_ backend: String, listen: @escaping (UInt16) -> String) throws {
        let (program, port) = try activated("greet") {
            ["--backend", backend, "--workers", "2", "--listen", listen($0)]
        }
        try program.waitUntilItSays("echo on 127.0.0.1:\(port)")
        for value in UInt8(0)..<10 {
            let client = try TestClient(SocketAddress(parsing: "127.0.0.1:\(port)"))
            try client.send([value])
            #expect(try client.receive(exactly: 1) == [value])
            client.finish()
        }
        program.signal(SIGTERM)
        let ended = try program.wait()
        #expect(ended.status == 0)
        // The one that was in the queue before the service ran is among them.
        #expect(ended.errors.contains("accepted=11 "))
    }

    @Test func aSocketThatNobodyWantsIsNamed() throws {
        let (program, port) = try activated("whatever") { _ in ["--listen", "127.0.0.1:0"] }
        try program.waitUntilItSays("no service listens on 127.0.0.1:\(port)")
        program.signal(SIGTERM)
        #expect(try program.wait().status == 0)
    }

    @Test func aNameThatWasNotHandedOverIsRefused() throws {
        let (program, _) = try activated("greet") { _ in ["--listen", "systemd:web"] }
        let ended = try program.wait()
        #expect(ended.status == 2)
        #expect(ended.errors.contains("--listen systemd:web: no socket of that name"))
    }

    /// READY when it serves, WATCHDOG while its workers answer, STOPPING when it drains.
    @Test func saysHowItIs() throws {
        let folder = TemporaryFile()
        let receiver = try Receiver(path: folder.path)
        let server = try Server(
            ["--workers", "1"],
            environment: ["NOTIFY_SOCKET": folder.path, "WATCHDOG_USEC": "1000000"]
        )
        #expect(receiver.next() == "READY=1\nSTATUS=serving echo")
        #expect(receiver.next() == "WATCHDOG=1")
        #expect(receiver.next() == "WATCHDOG=1")
        let client = try TestClient(SocketAddress(parsing: server.address))
        try client.send([1])
        #expect(try client.receive(exactly: 1) == [1])
        server.program.signal(SIGTERM)
        var said: [String] = []
        while said.last != "STATUS=draining, 1 connection left" {
            said.append(try #require(receiver.next(), "\(said)"))
        }
        #expect(said.contains("STOPPING=1\nSTATUS=draining"))
        client.finish()
        #expect(try server.program.wait().status == 0)
    }

    /// A process of which one worker hangs is not called alive, though its main thread is well.
    @Test(.enabled(if: getuid() == 0)) func aWorkerThatHangsIsNotAlive() throws {
        let folder = TemporaryFile()
        let receiver = try Receiver(path: folder.path)
        let server = try Server(
            ["--workers", "1"],
            environment: ["NOTIFY_SOCKET": folder.path, "WATCHDOG_USEC": "400000"]
        )
        #expect(receiver.next()?.hasPrefix("READY=1") == true)
        #expect(receiver.next() == "WATCHDOG=1")
        // A tracer stops one thread (PTRACE_SEIZE, PTRACE_INTERRUPT), and its end lets it go.
        let stop = """
            import ctypes, sys, time
            trace, thread = ctypes.CDLL(None).ptrace, int(sys.argv[1])
            assert trace(0x4206, thread, None, None) == 0 and trace(0x4207, thread, None, None) == 0
            print("stopped", flush=True)
            time.sleep(60)
            """
        let thread = try server.workerThread()
        let tracer = try Program(["python3", "-c", stop, "\(thread)"])
        let deadline = Date().addingTimeInterval(10)
        while !tracer.outputSoFar.contains("stopped") {
            try #require(Date() < deadline, "\(tracer.errorsSoFar)")
            usleep(2000)
        }
        usleep(50_000)
        while receiver.next(withinMilliseconds: 0) != nil {}
        #expect(receiver.next(withinMilliseconds: 900) == nil)
        tracer.signal(SIGKILL)
        #expect(receiver.next() == "WATCHDOG=1")
        #expect(try server.stop().status == 0)
    }
}
