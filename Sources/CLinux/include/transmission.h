// What TCP knows of a connection. Apart from CLinux.h, since linux/tcp.h, which has the newer
// fields of tcp_info, cannot be included together with netinet/tcp.h.
#ifndef CLINUX_TRANSMISSION_H
#define CLINUX_TRANSMISSION_H

#include <stdint.h>

/// What is asked of TCP_INFO (tcp(7)).
struct clinux_tcp_state {
    uint32_t round_trip_microseconds;
    uint32_t retransmits;         // segments sent again, in all
    uint32_t unanswered;          // resent segments and probes since the peer's last answer
    uint64_t acknowledged_bytes;  // in all
};

/// Fills `state`; 0 or -errno.
int clinux_read_tcp_state(int fd, struct clinux_tcp_state *state);

#endif
