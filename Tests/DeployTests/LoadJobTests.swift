// The load from several machines, as the manifests of deploy/kubernetes/load have it: the barrier,
// the command and the sum are taken from them and run, each part in a network namespace with
// addresses of its own, against a server in another.

import Foundation
import Measure
import Support
import Testing

/// What matters of a Job here.
private struct Job: Decodable {
    struct Container: Decodable {
        struct Variable: Decodable {
            let name: String
            let value: String
        }
        let command: [String]
        let args: [String]?
        let env: [Variable]?
    }
    struct Pod: Decodable {
        struct Spec: Decodable {
            let initContainers: [Container]?
            let containers: [Container]
        }
        let spec: Spec
    }
    struct Spec: Decodable {
        let completions: Int?
        let template: Pod
    }
    let spec: Spec

    /// The Job of a manifest that a command writes.
    static func written(by command: String) throws -> Job {
        let convert = """
            import json, sys, yaml
            print(json.dumps([d for d in yaml.safe_load_all(sys.stdin) if d["kind"] == "Job"][0]))
            """
        let ended = try Program.shell(
            "cd \(Place.root); set -o pipefail; \(command) | \(Tools.folder)/python -c '\(convert)'"
        )
        try #require(ended.status == 0, "\(ended.errors)")
        return try JSONDecoder().decode(Job.self, from: Data(ended.output.utf8))
    }

    var load: Container { spec.template.spec.containers[0] }
    var barrier: Container? { spec.template.spec.initContainers?.first }
}

/// The result of a part.
private struct Result: Decodable {
    struct Integrity: Decodable {
        let verifiedBytes: Int
        let lost: Int
        let foreign: Int
        let reordered: Int
    }
    struct Plan: Decodable {
        let connections: Int
        let rate: Double
        let seed: Int
        let workers: Int
    }
    let errors: [String: Int]
    let integrity: Integrity
    let messages: UInt64
    let messagesPerSecond: Double
    let plan: Plan
}

/// A connection as the server saw it.
private struct Record: Decodable {
    let peer: String
    let bytesIn: Int
    var host: String { String(peer.prefix { $0 != ":" }) }
}

@Suite(
    .enabled(
        if: Tools.areThere && Place.hasBinaries && getuid() == 0,
        "make deploy-tools, build, and be root"
    ),
    .timeLimit(.minutes(2))
)
struct LoadJobTests {
    // What all parts together are to reach here, which is one machine, and not a large one.
    private static let perSecond = 4000.0
    private static let connections = 66
    private static let seconds = 2.0

    /// The addresses of all parts, and those of one: of 64 in a network 62 are hosts', and a share
    /// of them, in their order, is a part's.
    private static let network = "10.78.1.0/26"
    private static func hosts(_ number: Int, of count: Int) -> [String] {
        let (each, rest) = 62.quotientAndRemainder(dividingBy: count)
        let first = 1 + each * number + min(rest, number)
        return (first..<first + each + (number < rest ? 1 : 0)).map { "10.78.1.\($0)" }
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    /// The Job as the line in docs/Deploy.md makes it, but for when it begins.
    private func job(inSeconds seconds: Int) throws -> (job: Job, begins: Double) {
        let page = try String(contentsOfFile: Place.root + "/docs/Deploy.md", encoding: .utf8)
        let line = try #require(page.firstMatch(of: #/ {4}(sed .*) \| kubectl apply/#)).output.1
        let moment = Int(Date().timeIntervalSince1970) + seconds
        let command = line.replacing("$(($(date +%s) + 60))", with: "\(moment)")
        try #require(command != line)
        return (try Job.written(by: String(command)), Double(moment))
    }

    /// The command of a part, as its pod has it but for what this machine is too small for.
    private func command(_ job: Job, _ number: Int, _ target: String, _ folder: String) throws
        -> [String]
    {
        let changes = [
            ("ringback:8888", target), ("$(JOB_COMPLETION_INDEX)", "\(number)"),
            ("/results", folder), ("--connections=4000", "--connections=\(Self.connections)"),
            ("--rate=100k", "--rate=\(Int(Self.perSecond))"), ("--warmup=10s", "--warmup=1s"),
            ("--duration=60s", "--duration=\(Int(Self.seconds))s"),
        ]
        let asked = try #require(job.load.args)
        for (from, _) in changes { #expect(asked.contains { $0.contains(from) }, "\(from)") }
        #expect(job.load.command == ["/usr/bin/ringload"])
        return ["ringload"]
            + asked.map { argument in changes.reduce(argument) { $0.replacing($1.0, with: $1.1) } }
            + ["--source", Self.network, "--ignore-audit"]
    }

    /// Barrier and load, one behind the other, as a pod's containers are.
    private func start(_ job: Job, _ load: [String], in client: Namespace) throws -> Program {
        let barrier = try #require(job.barrier)
        let variables = (barrier.env ?? []).map { ($0.name, $0.value) }
        #expect(barrier.command.prefix(2) == ["sh", "-c"] && barrier.command.count == 3)
        return try Program(
            client.inside
                + ["bash", "-c", "sh -c \"$1\" && shift && exec \"$@\"", "pod", barrier.command[2]]
                + load,
            environment: Dictionary(uniqueKeysWithValues: variables)
        )
    }

    @Test func thePartsMakeTheWhole() throws {
        let (job, begins) = try job(inSeconds: 3)
        let count = try #require(job.spec.completions)
        let addresses = (0..<count).map { Self.hosts($0, of: count) }
        let star = try Star(addresses)
        let folder = try TemporaryFolder()
        let server = try Server(
            ["--access-log", folder.path + "/access.log", "--access-log-format", "json"],
            wrapper: star.server.inside,
            listen: Star.serverHost + ":0"
        )
        let parts = try star.clients.enumerated().map { number, client in
            try start(job, command(job, number, server.address, folder.path), in: client)
        }
        for part in parts {
            let ended = try part.wait()
            #expect(ended.status == 0, "\(ended.output)\(ended.errors)")
        }
        #expect(try server.stop().status == 0)
        let results = try (0..<count).map { number in
            let path = folder.path + "/\(number).json"
            return try Self.decoder.decode(
                Result.self,
                from: Data(contentsOf: URL(filePath: path))
            )
        }
        try judge(results)
        try judgeAccess(folder.path + "/access.log", results, addresses)
        try judgeSum(folder.path, results, begins)
    }

    /// Each has its share, every byte came back, and no two have a stream of chance in common.
    private func judge(_ results: [Result]) throws {
        for result in results {
            #expect(result.errors.values.allSatisfy { $0 == 0 }, "\(result.errors)")
            let integrity = result.integrity
            #expect(integrity.lost + integrity.foreign + integrity.reordered == 0)
            #expect(integrity.verifiedBytes >= 64 * result.messages)
            #expect(result.plan.rate == Self.perSecond / Double(results.count))
        }
        #expect(results.map(\.plan.connections) == [17, 17, 16, 16])
        let seeds = results.flatMap { $0.plan.seed..<$0.plan.seed + $0.plan.workers }
        #expect(Set(seeds).count == seeds.count)
    }

    /// The server saw each part's connections from its addresses, and nobody else.
    private func judgeAccess(_ log: String, _ results: [Result], _ addresses: [[String]]) throws {
        let records = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map {
            try Self.decoder.decode(Record.self, from: Data($0.utf8))
        }
        for (result, hosts) in zip(results, addresses) {
            let own = records.filter { hosts.contains($0.host) }
            #expect(own.count == result.plan.connections)
            // As many addresses as there are, or as connections need.
            #expect(Set(own.map(\.host)).count == min(hosts.count, result.plan.connections))
            #expect(own.map(\.bytesIn).reduce(0, +) == result.integrity.verifiedBytes)
        }
        #expect(records.count == Self.connections)
    }

    /// What `merge.yaml` adds up is what all parts did, at the rate of all, from the barrier on.
    private func judgeSum(_ folder: String, _ results: [Result], _ begins: Double) throws {
        let job = try Job.written(by: "cat deploy/kubernetes/load/merge.yaml")
        let arguments = try #require(job.load.args).map { $0.replacing("/results", with: folder) }
        #expect(job.load.command == ["/usr/bin/ringload"])
        let ended = try Program(["ringload"] + arguments).wait()
        // A part whose windows lie elsewhere would be warned of.
        #expect(ended.status == 0 && ended.errors == "", "\(ended.errors)")

        let sum = try HistogramLog(file: folder + "/all.hlog")
        let messages = results.map(\.messages).reduce(0, +)
        #expect(sum.total()?.latency.count == messages)
        #expect(sum.total(tag: "service")?.latency.count == messages)
        let rate = results.map(\.messagesPerSecond).reduce(0, +)
        // Arrivals of independent callers: the square root is what chance makes of them.
        let chance = (Self.perSecond * Self.seconds).squareRoot() / Self.seconds
        #expect(abs(rate - Self.perSecond) < 6 * chance, "\(rate)")

        for number in results.indices {
            let log = try HistogramLog(file: folder + "/\(number).hlog")
            let late = Double(log.startNanoseconds) / 1e9 - begins
            #expect((0..<1).contains(late), "part \(number) began \(late) s after the barrier")
        }
    }
}
