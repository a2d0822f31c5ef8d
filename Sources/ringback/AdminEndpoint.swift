// AdminEndpoint: the admin server of the process, and what is said of it.

import Admin
import Engine
import Logging
import Options

/// The admin endpoint at one address.
final class AdminEndpoint {
    let address: AdminAddress
    private let server: AdminServer

    /// Listens there.
    init(
        _ address: AdminAddress,
        _ books: ProcessBooks,
        beforeServing: @escaping ThreadStart,
        _ logger: Logger
    ) throws {
        self.address = address
        server = AdminServer(address: address, beforeServing: beforeServing) { books.reading }
        do throws(AdminError) {
            try server.start()
        } catch {
            throw Failure(.couldNotRun, "\(error)")
        }
        logger.info("health, counts and a page on \(server.boundAddress ?? "\(address)")")
        if address.isOpenToOthers {
            logger.warning("other hosts may read them: nobody is asked for a password")
        }
    }

    func stop() { server.stop() }
}
