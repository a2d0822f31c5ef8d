// See transmission.h.
#include "transmission.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

int clinux_read_tcp_state(int fd, struct clinux_tcp_state *state) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -errno;
    state->round_trip_microseconds = info.tcpi_rtt;
    state->retransmits = info.tcpi_total_retrans;
    state->unanswered = (uint32_t)info.tcpi_retransmits + info.tcpi_probes;
    state->acknowledged_bytes = info.tcpi_bytes_acked;
    return 0;
}
