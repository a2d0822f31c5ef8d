// StatusReader: asks another process for its /status. A blocking client for one request, with a
// limit on how long it waits; whoever watches a process has nothing else to do.

import FoundationEssentials
import Glibc
import Net

/// Reads the status of a process from its admin endpoint.
struct StatusReader {
    let address: AdminAddress
    /// How long each step may take.
    private static let patienceMilliseconds: Int32 = 3000
    /// More than any process has to say.
    private static let answerBytesMax = 16 << 20

    func read() throws(AdminError) -> StatusDocument {
        let answer = try exchange("GET /status HTTP/1.0\r\n\r\n")
        // The head ends with an empty line.
        guard let head = answer.firstRange(of: Array("\r\n\r\n".utf8)),
            answer.starts(with: Array("HTTP/1.".utf8))
        else { throw unreadable }
        let body = Array(answer[head.upperBound...])
        guard let document = try? JSONDecoder().decode(StatusDocument.self, from: Data(body)) else {
            throw unreadable
        }
        return document
    }

    private var unreadable: AdminError {
        failed("what answers there is no admin endpoint of ringback")
    }

    private func failed(_ why: String) -> AdminError { AdminError(unreadable: address, why) }

    private func exchange(_ request: String) throws(AdminError) -> [UInt8] {
        let descriptor = try connect()
        defer { descriptor.close() }
        let bytes = Array(request.utf8)
        guard send(descriptor.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        else { throw failed("it took no request") }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while answer.count <= StatusReader.answerBytesMax {
            try wait(for: descriptor, POLLIN)
            let count = recv(descriptor.rawValue, &buffer, buffer.count, 0)
            guard count > 0 else { return answer }
            answer += buffer[..<count]
        }
        throw unreadable
    }

    private func connect() throws(AdminError) -> Descriptor {
        switch address {
        case .local(let path):
            do throws(LocalListener.Failure) {
                return try LocalListener.connect(to: path)
            } catch {
                throw AdminError(path: path, error)
            }
        case .network(let address):
            let descriptor: Descriptor
            do throws(SystemError) {
                descriptor = try Socket.outgoing(address.family)
            } catch {
                throw failed("\(error)")
            }
            do throws(AdminError) {
                try connect(descriptor, to: address)
            } catch {
                descriptor.close()
                throw error
            }
            return descriptor
        }
    }

    private func connect(
        _ descriptor: Descriptor,
        to address: SocketAddress
    ) throws(AdminError) {
        let storage = UnsafeMutableRawPointer.allocate(
            byteCount: SocketAddress.storageBytes,
            alignment: 8
        )
        defer { storage.deallocate() }
        let length = address.write(to: storage)
        guard let code = descriptor.startConnecting(to: storage, byteCount: length) else { return }
        guard code == .inProgress else { throw failed("\(code)") }
        try wait(for: descriptor, POLLOUT)
        if let code = descriptor.takeSocketError() { throw failed("\(code)") }
    }

    private func wait(for descriptor: Descriptor, _ events: Int32) throws(AdminError) {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(events), revents: 0)
        guard poll(&entry, 1, StatusReader.patienceMilliseconds) == 1 else {
            throw failed("no answer within \(StatusReader.patienceMilliseconds / 1000) s")
        }
    }
}
