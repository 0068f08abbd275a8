"""Serves grpc.testing.TestService on grpcio, as far as interop cases need it.

server.py --port=N; 0: the system chooses. Prints `listening on 127.0.0.1:PORT`.
"""

import argparse
from concurrent import futures

import grpc
from interop import empty_pb2, messages_pb2, test_pb2_grpc

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"
STATUS_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class TestService(test_pb2_grpc.TestServiceServicer):
    """What is not here, its base answers with UNIMPLEMENTED."""

    def EmptyCall(self, request, context):
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        echo_metadata(context)
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        abort_if_asked(request, context)
        return messages_pb2.SimpleResponse(payload=payload(request.response_size))

    def StreamingInputCall(self, requests, context):
        size = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=size)

    def StreamingOutputCall(self, request, context):
        yield from responses(request)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            abort_if_asked(request, context)
            yield from responses(request)


def echo_metadata(context):
    sent = dict(context.invocation_metadata())
    if ECHO_INITIAL in sent:
        context.send_initial_metadata(((ECHO_INITIAL, sent[ECHO_INITIAL]),))
    if ECHO_TRAILING in sent:
        context.set_trailing_metadata(((ECHO_TRAILING, sent[ECHO_TRAILING]),))


def abort_if_asked(request, context):
    if request.HasField("response_status"):
        status = request.response_status
        context.abort(STATUS_BY_NUMBER[status.code], status.message)


def responses(request):
    for wanted in request.response_parameters:
        yield messages_pb2.StreamingOutputCallResponse(payload=payload(wanted.size))


def payload(size):
    return messages_pb2.Payload(body=bytes(size))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    server = grpc.server(futures.ThreadPoolExecutor())
    test_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    port = server.add_insecure_port(f"127.0.0.1:{parser.parse_args().port}")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
