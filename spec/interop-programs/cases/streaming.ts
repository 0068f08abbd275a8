// Cases with a stream on either side.
import { Code } from '../../../lib/grpc/index.ts'
import { all, expectEqual, expectPayload, expectStatus, next } from '../expectations.ts'
import type { StreamingOutputCallRequest } from '../test-service.ts'
import type { InteropCase } from './case.ts'

const REQUEST_BYTES = [27_182, 8, 1828, 45_904] as const
const RESPONSE_BYTES = [31_415, 9, 2653, 58_979] as const
const SUM_BYTES = 74_922

/** Sends `requestBytes` and asks for `responseBytes`. */
function request(requestBytes: number, responseBytes: number): StreamingOutputCallRequest {
  return {
    responseParameters: [{ size: responseBytes }],
    payload: { body: Buffer.alloc(requestBytes) },
  }
}

export const clientStreaming: InteropCase = async ({ client }) => {
  const call = client.streamingInputCall()
  for (const size of REQUEST_BYTES) await call.send({ payload: { body: Buffer.alloc(size) } })
  call.end()
  const { aggregatedPayloadSize } = await call.response
  expectEqual(aggregatedPayloadSize, SUM_BYTES, 'aggregated payload size')
}

export const serverStreaming: InteropCase = async ({ client }) => {
  const responseParameters = RESPONSE_BYTES.map((size) => ({ size }))
  const responses = await all(client.streamingOutputCall({ responseParameters }))
  expectEqual(responses.length, RESPONSE_BYTES.length, 'number of responses')
  for (const [i, size] of RESPONSE_BYTES.entries()) expectPayload(responses[i]?.payload, size)
}

export const pingPong: InteropCase = async ({ client }) => {
  const call = client.fullDuplexCall()
  const responses = call[Symbol.asyncIterator]()
  for (const [i, requestBytes] of REQUEST_BYTES.entries()) {
    const responseBytes = RESPONSE_BYTES[i] as number
    await call.send(request(requestBytes, responseBytes))
    expectPayload((await next(responses)).payload, responseBytes)
  }
  call.end()
  expectEqual(await responses.next(), { done: true, value: undefined }, 'after the last response')
}

export const emptyStream: InteropCase = async ({ client }) => {
  const call = client.fullDuplexCall()
  call.end()
  expectEqual(await all(call), [], 'responses')
}

export const cancelAfterBegin: InteropCase = async ({ conn, client }) => {
  // Ready, so that the request's headers go out before it is cancelled.
  await conn.waitForReady()
  const call = client.streamingInputCall()
  call.cancel()
  await expectStatus(call.response, Code.Cancelled)
}

export const cancelAfterFirstResponse: InteropCase = async ({ client }) => {
  const call = client.fullDuplexCall()
  const responses = call[Symbol.asyncIterator]()
  await call.send(request(27_182, 31_415))
  expectPayload((await next(responses)).payload, 31_415)
  call.cancel()
  await expectStatus(responses.next(), Code.Cancelled)
}

export const timeoutOnSleepingServer: InteropCase = async ({ conn, client }) => {
  await conn.waitForReady()
  const call = client.fullDuplexCall({ timeoutMs: 1 })
  void call.send({ payload: { body: Buffer.alloc(27_182) } })
  await expectStatus(all(call), Code.DeadlineExceeded)
}

const STATUS_MESSAGE = 'test status message'

export const statusCodeAndMessage: InteropCase = async ({ client }) => {
  const responseStatus = { code: Code.Unknown, message: STATUS_MESSAGE }
  await expectStatus(client.unaryCall({ responseStatus }), Code.Unknown, STATUS_MESSAGE)
  const call = client.fullDuplexCall()
  void call.send({ responseStatus })
  call.end()
  await expectStatus(all(call), Code.Unknown, STATUS_MESSAGE)
}
