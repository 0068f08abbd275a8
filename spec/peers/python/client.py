"""Runs one of gRPC's interop cases on grpcio against a server; ends with 0 if all it asserts holds.

client.py --server_host=HOST --server_port=PORT --test_case=NAME
"""

import argparse
import queue

import grpc
from interop import empty_pb2, messages_pb2, test_pb2_grpc

REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
METADATA = (
    ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
)
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
CALL_SECONDS = 10


class Requests:
    """Messages of a stream, sent as they come until `end`."""

    def __init__(self):
        self._messages = queue.SimpleQueue()
        self.send = self._messages.put

    def end(self):
        self.send(None)

    def __iter__(self):
        return iter(self._messages.get, None)


# What the cases send.


def payload(size):
    return messages_pb2.Payload(body=bytes(size))


def simple_request(**fields):
    return messages_pb2.SimpleRequest(
        payload=payload(LARGE_REQUEST), response_size=LARGE_RESPONSE, **fields
    )


def output_request(request_size, *response_sizes):
    return messages_pb2.StreamingOutputCallRequest(
        payload=payload(request_size) if request_size else None,
        response_parameters=[{"size": size} for size in response_sizes],
    )


def true_or_false(value):
    return messages_pb2.BoolValue(value=value)


# What the cases assert.


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def expect_payload(response, size):
    expect(response.payload.type, messages_pb2.COMPRESSABLE, "type of the payload")
    expect(len(response.payload.body), size, "size of the payload")
    expect(response.payload.body.count(0), size, "zeros in the payload")


def expect_status(call, code, message=None):
    """The call, a function, ends with this status."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code(), code, "status")
        if message is not None:
            expect(error.details(), message, "status message")
    else:
        raise AssertionError(f"got no error, want {code}")


def expect_echoed(call):
    initial, trailing = METADATA
    expect(initial in tuple(call.initial_metadata()), True, "initial metadata echoed")
    expect(trailing in tuple(call.trailing_metadata()), True, "trailing metadata echoed")


# The cases.


def empty_unary(stub):
    expect(stub.EmptyCall(empty_pb2.Empty(), timeout=CALL_SECONDS), empty_pb2.Empty(), "response")


def large_unary(stub):
    expect_payload(stub.UnaryCall(simple_request(), timeout=CALL_SECONDS), LARGE_RESPONSE)


def client_streaming(stub):
    requests = [
        messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in REQUEST_SIZES
    ]
    response = stub.StreamingInputCall(iter(requests), timeout=CALL_SECONDS)
    expect(response.aggregated_payload_size, sum(REQUEST_SIZES), "aggregated payload size")


def server_streaming(stub):
    request = output_request(0, *RESPONSE_SIZES)
    responses = list(stub.StreamingOutputCall(request, timeout=CALL_SECONDS))
    expect(len(responses), len(RESPONSE_SIZES), "number of responses")
    for response, size in zip(responses, RESPONSE_SIZES):
        expect_payload(response, size)


def ping_pong(stub):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), timeout=CALL_SECONDS)
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        requests.send(output_request(request_size, response_size))
        expect_payload(next(call), response_size)
    requests.end()
    expect(list(call), [], "after the last response")


def empty_stream(stub):
    expect(list(stub.FullDuplexCall(iter(()), timeout=CALL_SECONDS)), [], "responses")


def timeout_on_sleeping_server(stub):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), timeout=0.001)
    requests.send(output_request(27182))
    expect_status(lambda: next(call), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.end()


def cancel_after_begin(stub):
    requests = Requests()
    call = stub.StreamingInputCall.future(iter(requests), timeout=CALL_SECONDS)
    expect(call.cancel(), True, "taken as cancelled")
    expect(call.code(), grpc.StatusCode.CANCELLED, "status")
    requests.end()


def cancel_after_first_response(stub):
    requests = Requests()
    call = stub.FullDuplexCall(iter(requests), timeout=CALL_SECONDS)
    requests.send(output_request(REQUEST_SIZES[0], RESPONSE_SIZES[0]))
    expect_payload(next(call), RESPONSE_SIZES[0])
    call.cancel()
    expect_status(lambda: next(call), grpc.StatusCode.CANCELLED)
    requests.end()


def status_code_and_message(stub):
    status = messages_pb2.EchoStatus(code=2, message="test status message")
    unary = messages_pb2.SimpleRequest(response_status=status)
    expect_status(
        lambda: stub.UnaryCall(unary, timeout=CALL_SECONDS),
        grpc.StatusCode.UNKNOWN,
        status.message,
    )
    stream = messages_pb2.StreamingOutputCallRequest(response_status=status)
    expect_status(
        lambda: list(stub.FullDuplexCall(iter([stream]), timeout=CALL_SECONDS)),
        grpc.StatusCode.UNKNOWN,
        status.message,
    )


def special_status_message(stub):
    status = messages_pb2.EchoStatus(code=2, message=SPECIAL_MESSAGE)
    request = messages_pb2.SimpleRequest(response_status=status)
    expect_status(
        lambda: stub.UnaryCall(request, timeout=CALL_SECONDS),
        grpc.StatusCode.UNKNOWN,
        SPECIAL_MESSAGE,
    )


def custom_metadata(stub):
    response, call = stub.UnaryCall.with_call(
        simple_request(), metadata=METADATA, timeout=CALL_SECONDS
    )
    expect_payload(response, LARGE_RESPONSE)
    expect_echoed(call)

    requests = iter([output_request(LARGE_REQUEST, LARGE_RESPONSE)])
    call = stub.FullDuplexCall(requests, metadata=METADATA, timeout=CALL_SECONDS)
    expect_payload(next(call), LARGE_RESPONSE)
    expect(list(call), [], "after the response")
    expect_echoed(call)


def unimplemented_method(stub):
    expect_status(
        lambda: stub.UnimplementedCall(empty_pb2.Empty(), timeout=CALL_SECONDS),
        grpc.StatusCode.UNIMPLEMENTED,
    )


def client_compressed_unary(stub):
    probe = simple_request(expect_compressed=true_or_false(True))
    expect_status(
        lambda: stub.UnaryCall(probe, timeout=CALL_SECONDS),
        grpc.StatusCode.INVALID_ARGUMENT,
    )
    for value, compression in (
        (True, grpc.Compression.Gzip),
        (False, grpc.Compression.NoCompression),
    ):
        request = simple_request(expect_compressed=true_or_false(value))
        response = stub.UnaryCall(request, compression=compression, timeout=CALL_SECONDS)
        expect_payload(response, LARGE_RESPONSE)


def server_compressed_unary(stub):
    for value in (True, False):
        request = simple_request(response_compressed=true_or_false(value))
        expect_payload(stub.UnaryCall(request, timeout=CALL_SECONDS), LARGE_RESPONSE)


CASES = {
    case.__name__: case
    for case in (
        empty_unary,
        large_unary,
        client_streaming,
        server_streaming,
        ping_pong,
        empty_stream,
        timeout_on_sleeping_server,
        cancel_after_begin,
        cancel_after_first_response,
        status_code_and_message,
        special_status_message,
        custom_metadata,
        unimplemented_method,
        client_compressed_unary,
        server_compressed_unary,
    )
} | {"unimplemented_service": unimplemented_method}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", type=int, required=True)
    parser.add_argument("--test_case", choices=CASES, required=True)
    flags = parser.parse_args()
    with grpc.insecure_channel(f"{flags.server_host}:{flags.server_port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=CALL_SECONDS)
        if flags.test_case == "unimplemented_service":
            stub = test_pb2_grpc.UnimplementedServiceStub(channel)
        else:
            stub = test_pb2_grpc.TestServiceStub(channel)
        CASES[flags.test_case](stub)


if __name__ == "__main__":
    main()
