// The eight servers of grpc's http2-interop-test-descriptions.md, and what each must see of a client
// that stands them. What the client itself must see is in client.ts.
//
// The official servers are not published; they were the model for when a frame is sent. Two things
// are stricter here: each ping has octets of its own, and the response to `ping` ends only once all
// are acknowledged, so a client that leaves at once has answered them.
import { strict as assert } from 'node:assert'
import { ErrorCode, Setting, type SettingEntry } from '../../../lib/frame/index.ts'
import type { Call, DataShape } from './call.ts'
import type { Peer } from './peer.ts'
import type { ConnectionReport, ServerReport } from './report.ts'
import { answerTo, requestOf } from './service.ts'

/** How a server treats its client. */
export interface Script {
  /** Entries of its SETTINGS; none by default. */
  readonly settings?: readonly SettingEntry[]
  /** Answers one call, whose HEADERS are here. */
  readonly answer: (call: Call, peer: Peer) => Promise<void>
  /** Throws when the client has not done what it must. */
  readonly verify: (report: ServerReport) => void
}

const { NO_ERROR } = ErrorCode
const PADDED: DataShape = { chunkBytes: 5, padLength: 255 }
const NOT_PADDED: DataShape = { chunkBytes: 5 }
/** What padding makes of a reply of 314,159 octets: 62,834 frames with 256 octets each. */
const LEAST_PADDING_BYTES = 16_000_000

/** All cases, in the order of the description; its no_df_padding_sanity_test has a shorter name. */
export const CASE_NAMES = [
  'goaway',
  'rst_after_header',
  'rst_during_data',
  'rst_after_data',
  'ping',
  'max_streams',
  'data_frame_padding',
  'no_df_padding',
] as const

/** The name of a case. */
export type CaseName = (typeof CASE_NAMES)[number]

const SCRIPTS: Readonly<Record<CaseName, Script>> = {
  goaway: {
    answer: async (call, peer) => {
      await answerWell(call)
      peer.sendGoAway(call.streamId, NO_ERROR)
    },
    verify: ({ connections }) => {
      assert.deepEqual(callsOf(connections), [[1], [1]], 'one call on each of two connections')
    },
  },
  rst_after_header: {
    answer: async (call) => {
      call.sendHeaders()
      call.sendReset(NO_ERROR)
    },
    verify: oneCall,
  },
  rst_during_data: {
    answer: async (call) => {
      const message = await answerOf(call)
      call.sendHeaders()
      await call.sendData(message.subarray(0, message.length / 2))
      call.sendReset(NO_ERROR)
    },
    verify: oneCall,
  },
  rst_after_data: {
    answer: async (call) => {
      const message = await answerOf(call)
      call.sendHeaders()
      await call.sendData(message)
      call.sendReset(NO_ERROR)
    },
    verify: oneCall,
  },
  ping: {
    answer: async (call, peer) => {
      peer.sendPing()
      call.sendHeaders()
      peer.sendPing()
      const message = await answerOf(call)
      peer.sendPing()
      await call.sendData(message)
      peer.sendPing()
      await peer.pingsAnswered()
      call.sendTrailers()
    },
    verify: ({ connections }) => {
      const [{ pings, pingAcks }] = only(connections)
      assert.equal(pings.length, 4)
      assert.deepEqual(pingAcks, pings, 'each ping acknowledged with its octets, in order')
    },
  },
  max_streams: {
    settings: [[Setting.MAX_CONCURRENT_STREAMS, 1]],
    answer: (call) => answerWell(call),
    verify: ({ connections }) => {
      const [{ calls, peakStreams }] = only(connections)
      assert.ok(calls.length >= 11, `${calls.length} calls, want 11 or more`)
      assert.equal(peakStreams, 1, 'the most streams open at once')
    },
  },
  data_frame_padding: {
    answer: (call) => answerWell(call, PADDED),
    verify: ({ connections }) => {
      const [{ flowBytes, paddingBytes, connectionCreditBytes, streamCreditBytes }] =
        only(connections)
      assert.ok(paddingBytes > LEAST_PADDING_BYTES, `${paddingBytes} octets of padding`)
      const unpaddedBytes = flowBytes - paddingBytes
      assert.ok(connectionCreditBytes > unpaddedBytes, 'credit of the connection for padding')
      assert.ok(streamCreditBytes > unpaddedBytes, 'credit of streams for padding')
    },
  },
  no_df_padding: {
    answer: (call) => answerWell(call, NOT_PADDED),
    verify: ({ connections }) => {
      const [{ paddingBytes }] = only(connections)
      assert.equal(paddingBytes, 0)
    },
  },
}

/** The case of a name. Throws when there is none. */
export function caseNamed(text: string): CaseName {
  const name = CASE_NAMES.find((one) => one === text)
  if (name === undefined) throw new Error(`no case ${text}; there are ${CASE_NAMES.join(', ')}`)
  return name
}

/** The script of a case. */
export function scriptOf(name: CaseName): Script {
  return SCRIPTS[name]
}

/** Throws when the client of a server broke a rule, or has not done what the case is about. */
export function verify(name: CaseName, report: ServerReport): void {
  for (const { errors, goAways, rstStreams, settingsAcked } of report.connections) {
    assert.deepEqual(errors, [])
    assert.deepEqual(rstStreams, [], 'no stream reset by the client')
    assert.deepEqual(
      goAways.filter((code) => code !== 'NO_ERROR'),
      [],
      'no GOAWAY with an error',
    )
    assert.ok(settingsAcked, 'SETTINGS acknowledged')
  }
  scriptOf(name).verify(report)
}

/** What {@link verify} throws, as text; undefined when it does not. */
export function complaintAbout(name: CaseName, report: ServerReport): string | undefined {
  try {
    verify(name, report)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function answerOf(call: Call): Promise<Buffer> {
  return answerTo(requestOf(await call.body()))
}

async function answerWell(call: Call, shape?: DataShape): Promise<void> {
  const message = await answerOf(call)
  call.sendHeaders()
  await call.sendData(message, shape)
  call.sendTrailers()
}

/** The call failed, nobody tried it again, and its connection was good enough to stay. */
function oneCall({ connections }: ServerReport): void {
  assert.deepEqual(callsOf(connections), [[1]], 'one call on one connection')
}

function callsOf(connections: readonly ConnectionReport[]): number[][] {
  return connections.map(({ calls }) => calls)
}

function only(connections: readonly ConnectionReport[]): readonly [ConnectionReport] {
  assert.equal(connections.length, 1, 'connections')
  return connections as readonly [ConnectionReport]
}
