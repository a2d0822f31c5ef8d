// go-echo: the echo server that a Go programmer would write, as a judge of the conformance suite:
// copy until the client's FIN, then send ours.
//
//	go-echo ADDRESS        io.Copy as it is; between TCP connections it uses splice(2)
//	go-echo ADDRESS read   io.Copy with reads and writes
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	reads := len(os.Args) > 2 && os.Args[2] == "read"
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Print(err)
			continue
		}
		go echo(connection.(*net.TCPConn), reads)
	}
}

func echo(connection *net.TCPConn, reads bool) {
	defer connection.Close()
	var target io.Writer = connection
	if reads {
		// Without the connection's ReadFrom, which is what splices.
		target = struct{ io.Writer }{connection}
	}
	if _, err := io.Copy(target, connection); err == nil {
		connection.CloseWrite()
	}
}
