// What the relay says of its upstreams in each line of the access log.

import Engine
import Relay

enum UpstreamReport {
    /// What a line of the access log says beside: which upstream, how it was reached, and which
    /// side ended the connection in which way.
    static func describe(_ packed: Remark, _ set: UpstreamSet) -> [AccessLog.Field] {
        guard let remark = RelayRemark(packed: packed.value) else { return [] }
        let name = remark.upstream.map { set.upstreams[$0].options.target } ?? "none"
        let client: [AccessLog.Field] = packed.client.map { [("client", "\($0)", true)] } ?? []
        return client + [
            ("upstream", name, true),
            ("connect_us", "\(remark.connectMicroseconds)", false),
            ("retries", "\(remark.retries)", false),
            ("ended_by", remark.endedBy.name, true),
            ("how", remark.termination.nameForEither, true),
        ]
    }
}
