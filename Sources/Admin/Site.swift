// Site: what there is at each path. A function of the path and of a reading, so that all of it is
// tested without a socket.

/// The pages of the admin endpoint.
enum Site {
    /// The answer where it takes no reading of the services: whether the process lives has to be
    /// said also when they cannot be asked.
    static func answerWithoutReading(_ path: String) -> Answer? {
        switch path {
        case "/": Page.answer()
        case "/healthz": .line(.ok, "ok")
        case "/metrics", "/readyz", "/status": nil
        default: .line(.notFound, "not found; there is / /metrics /status /healthz /readyz")
        }
    }

    /// The answer to a path for which there was none without a reading.
    static func answer(_ path: String, _ reading: ProcessReading) -> Answer {
        switch path {
        case "/metrics":
            Answer(
                status: .ok,
                contentType: PrometheusText.contentType,
                body: PrometheusText.render(reading)
            )
        case "/readyz": ready(reading.state)
        default: status(reading)
        }
    }

    private static func ready(_ state: ProcessState) -> Answer {
        switch state {
        case .serving: .line(.ok, "ready")
        case .starting, .draining: .line(.unavailable, state.rawValue)
        }
    }

    private static func status(_ reading: ProcessReading) -> Answer {
        do {
            let json = try StatusDocument(reading).json()
            return Answer(status: .ok, contentType: "application/json", body: json)
        } catch {
            return .line(.internalError, "the status cannot be written: \(error)")
        }
    }
}
