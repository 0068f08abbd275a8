// behaviour is a channel of grpc-go to look at from outside. The channel is as its flags say; it does
// what each line of its input says, and ends with its input:
//
//	connect              leaves IDLE
//	call ID TIMEOUT_MS   a unary call
//	wait ID TIMEOUT_MS   the same, waiting for a connection
//
// It prints a line for each thing that happens: "state NAME", "result ID CODE".
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

var (
	target               = flag.String("target", "", "where calls go")
	backoffBaseMs        = flag.Int("backoff_base_ms", 1000, "the first wait between attempts")
	backoffMultiplier    = flag.Int("backoff_multiplier_percent", 160, "growth of each further wait")
	backoffJitter        = flag.Int("backoff_jitter_percent", 20, "share of a wait that chance decides")
	backoffMaxMs         = flag.Int("backoff_max_ms", 120000, "the longest wait")
	minConnectTimeoutMs  = flag.Int("min_connect_timeout_ms", 20000, "the least time of an attempt")
	idleTimeoutMs        = flag.Int("idle_timeout_ms", 1800000, "time without a call until IDLE")
	keepaliveTimeMs      = flag.Int("keepalive_time_ms", 0, "silence until a ping; 0 for never")
	keepaliveTimeoutMs   = flag.Int("keepalive_timeout_ms", 20000, "time for the ping's ACK")
	keepaliveWithoutCall = flag.Bool("keepalive_without_calls", false, "pings also without calls")
	serviceConfig        = flag.String("service_config", "{}", "when the resolver has none")
)

var codeNames = map[codes.Code]string{
	codes.OK:                "OK",
	codes.Canceled:          "CANCELLED",
	codes.Unknown:           "UNKNOWN",
	codes.DeadlineExceeded:  "DEADLINE_EXCEEDED",
	codes.ResourceExhausted: "RESOURCE_EXHAUSTED",
	codes.Internal:          "INTERNAL",
	codes.Unavailable:       "UNAVAILABLE",
}

var printing sync.Mutex

func report(format string, arguments ...any) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf(format+"\n", arguments...)
}

func ms(count int) time.Duration {
	return time.Duration(count) * time.Millisecond
}

func dialOptions() []grpc.DialOption {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  ms(*backoffBaseMs),
				Multiplier: float64(*backoffMultiplier) / 100,
				Jitter:     float64(*backoffJitter) / 100,
				MaxDelay:   ms(*backoffMaxMs),
			},
			MinConnectTimeout: ms(*minConnectTimeoutMs),
		}),
		grpc.WithIdleTimeout(ms(*idleTimeoutMs)),
		grpc.WithDefaultServiceConfig(*serviceConfig),
	}
	if *keepaliveTimeMs > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                ms(*keepaliveTimeMs),
			Timeout:             ms(*keepaliveTimeoutMs),
			PermitWithoutStream: *keepaliveWithoutCall,
		}))
	}
	return options
}

func watch(conn *grpc.ClientConn) {
	for {
		state := conn.GetState()
		report("state %s", state)
		if !conn.WaitForStateChange(context.Background(), state) {
			return
		}
	}
}

func call(conn *grpc.ClientConn, id string, timeout time.Duration, waitForReady bool) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var empty emptypb.Empty
	err := conn.Invoke(ctx, "/behaviour.Test/Call", &empty, &empty, grpc.WaitForReady(waitForReady))
	report("result %s %s", id, codeNames[status.Code(err)])
}

func do(conn *grpc.ClientConn, line string) error {
	words := strings.Fields(line)
	if len(words) == 1 && words[0] == "connect" {
		conn.Connect()
		return nil
	}
	if len(words) != 3 || (words[0] != "call" && words[0] != "wait") {
		return fmt.Errorf("unknown: %q", line)
	}
	timeoutMs, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	go call(conn, words[1], ms(timeoutMs), words[0] == "wait")
	return nil
}

func run() error {
	flag.Parse()
	conn, err := grpc.NewClient(*target, dialOptions()...)
	if err != nil {
		return err
	}
	defer conn.Close()
	go watch(conn)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := do(conn, lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
