// What Prometheus gets: every count of the engine under a name of its own, in base units, in text
// that Prometheus' own tool finds nothing to say against.

import Engine
import Foundation
import Support
import Testing

@testable import Admin

struct PrometheusTextTests {
    /// The samples by name and labels.
    private func samples(_ reading: ProcessReading) -> [String: String] {
        let lines = PrometheusText.render(reading).split(separator: "\n")
        let pairs = lines.filter { !$0.hasPrefix("#") }.map { line in
            let space = line.lastIndex(of: " ")!
            return (String(line[..<space]), String(line[line.index(after: space)...]))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test func everyCountOfTheEngineIsThere() {
        let named = CounterMetric.all.map(\.field) + CounterMetric.saidByTerminations
        #expect(Set(named) == Set(Counters.fields.map(\.name)))
        #expect(Set(CounterMetric.all.map(\.name)).count == CounterMetric.all.count)
    }

    /// A count that is shown under the name of another would be found out here.
    @Test func everyCountHasItsValue() {
        let found = samples(.made())
        let labels = "{service=\"echo\",worker=\"1\",backend=\"epoll\"}"
        for metric in CounterMetric.all {
            let place = Counters.fields.firstIndex { $0.name == metric.field }!
            let count = UInt64(2000 + place)
            #expect(found["ringback_\(metric.name)\(labels)"] == metric.text(count))
        }
        let seconds = CounterMetric.all.filter { $0.unit == .nanoseconds }
        #expect(seconds.map(\.name) == ["spin_seconds_total"])
        #expect(seconds[0].text(1_500_000_000) == "1.5")
        #expect(CounterMetric.all[0].text(5) == "5")
    }

    @Test func gaugesOfEachWorker() {
        let found = samples(.made())
        let labels = "{service=\"web\",worker=\"0\",backend=\"uring\"}"
        #expect(found["ringback_connections" + labels] == "3")
        #expect(found["ringback_connections_max" + labels] == "100")
        #expect(found["ringback_buffers" + labels] == "64")
        #expect(found["ringback_buffers_free" + labels] == "60")
        #expect(found["ringback_accept_paused" + labels] == "0")
        var reading = ProcessReading.made()
        reading.services[1].workers[0].acceptPause = "Too many open files"
        #expect(samples(reading)["ringback_accept_paused" + labels] == "1")
    }

    /// All cells of the matrix, also those with nothing in them.
    @Test func everyWayToEndIsThere() {
        let found = samples(.made()).filter {
            $0.key.hasPrefix("ringback_connections_closed_total{service=\"web\"")
        }
        #expect(found.count == Termination.allCases.count * 2)
        #expect(found.keys.contains { $0.contains("termination=\"client_rst\"") })
        #expect(found.keys.count { $0.contains("undelivered=\"true\"") } == found.count / 2)
    }

    @Test func servicesAndUpstreams() {
        let found = samples(.made())
        #expect(found["ringback_listeners{service=\"echo\"}"] == "2")
        #expect(found["ringback_relay_access_denied_total{service=\"web\"}"] == "7")
        let second = "{service=\"web\",upstream=\"10.0.0.2:80\"}"
        #expect(found["ringback_upstream_up" + second] == "0")
        #expect(found["ringback_upstream_connections" + second] == "0")
        #expect(found["ringback_upstream_failed_total" + second] == "2")
    }

    @Test(arguments: [
        (ProcessState.starting, "0", "0", "0"), (.serving, "1", "0", "0"),
        (.draining, "0", "1", "10"),
    ])
    func theProcess(_ state: ProcessState, _ ready: String, _ draining: String, _ open: String) {
        let found = samples(.made(state))
        #expect(found["ringback_build_info{version=\"1.2.3\",commit=\"abc1234\"}"] == "1")
        #expect(found["ringback_ready"] == ready)
        #expect(found["ringback_draining"] == draining)
        #expect(found["ringback_draining_connections"] == open)
        #expect(found["process_cpu_seconds_total"] == "1.5")
        #expect(found["process_open_fds"] == "21")
        #expect(found["process_start_time_seconds"] == "1790000000.25")
    }

    @Test func whatTheKernelDoesNotSayIsLeftOut() {
        var reading = ProcessReading.made()
        reading.figures = nil
        #expect(samples(reading).keys.allSatisfy { !$0.hasPrefix("process_") })
    }

    @Test func valuesOfLabelsAreEscaped() {
        #expect(Label("a", "x\\y\"z\n\u{e9}").text == "a=\"x\\\\y\\\"z\\n\u{e9}\"")
    }

    /// Prometheus refuses a page where the samples of a name do not stand together.
    @Test func aNameComesOnce() {
        let lines = PrometheusText.render(.made()).split(separator: "\n")
        let types = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ")[2] }
        #expect(Set(types).count == types.count)
        for line in lines where line.hasPrefix("# TYPE ") && line.hasSuffix(" counter") {
            #expect(line.split(separator: " ")[2].hasSuffix("_total"))
        }
    }

    private static let promtool = Place.root + "/.build-support/deploy-tools/bin/promtool"
    private static let hasPromtool = FileManager.default.isExecutableFile(atPath: promtool)

    @Test(.enabled(if: hasPromtool, "promtool is not there; `make deploy-tools` brings it"))
    func prometheusHasNothingToSayAgainstIt() throws {
        var reading = ProcessReading.made()
        reading.services[1].name = "a \"quoted\" \\ name"
        let file = TemporaryFile()
        file.handle.write(Data(PrometheusText.render(reading).utf8))
        let ended = try Program.shell("\(Self.promtool) check metrics <'\(file.path)'")
        #expect(ended.status == 0 && ended.errors == "", "\(ended.output)\(ended.errors)")
    }
}
