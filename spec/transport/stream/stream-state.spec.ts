// RFC 9113 section 5.1, cell by cell, from a list written sentence by sentence and not from the table.
import t from 'tap'
import {
  FIRST_OUTCOME,
  isClosed,
  nextState,
  Outcome,
  StreamInput,
  StreamState,
} from '../../../lib/transport/stream/stream-state.ts'

type StateName = keyof typeof StreamState
type InputName = keyof typeof StreamInput
type ResultName = StateName | keyof typeof Outcome

const stateNames = Object.keys(StreamState) as StateName[]
const inputNames = Object.keys(StreamInput) as InputName[]

const nameOfResult = (value: number): string => {
  const names: Record<string, number> = value < FIRST_OUTCOME ? StreamState : Outcome
  return Object.entries(names).find(([, each]) => each === value)?.[0] ?? `unknown ${value}`
}

const recvMessage: InputName[] = ['RecvHeaders', 'RecvHeadersEnd', 'RecvData', 'RecvDataEnd']
const sendMessage: InputName[] = ['SendHeaders', 'SendHeadersEnd', 'SendData', 'SendDataEnd']
const closedByReset: StateName[] = ['ClosedByPeerReset', 'ClosedByLocalReset', 'ClosedForgotten']
const closed: StateName[] = ['ClosedByEnd', ...closedByReset]

interface Sentence {
  readonly says: string
  readonly states: readonly StateName[]
  readonly inputs: readonly InputName[]
  /** 'same': the stream stays where it is. */
  readonly becomes: ResultName | 'same'
}

const sentence = (
  says: string,
  states: readonly StateName[],
  inputs: readonly InputName[],
  becomes: ResultName | 'same',
): Sentence => {
  return { says, states, inputs, becomes }
}

// biome-ignore format: one line per sentence
const sentences: readonly Sentence[] = [
  sentence('HEADERS open an idle stream', ['Idle'], ['RecvHeaders', 'SendHeaders'], 'Open'),
  sentence('HEADERS with END_STREAM open it and close the half of the peer', ['Idle'], ['RecvHeadersEnd'], 'HalfClosedPeer'),
  sentence('HEADERS with END_STREAM open it and close our half', ['Idle'], ['SendHeadersEnd'], 'HalfClosedLocal'),
  sentence('a promise received reserves an idle stream', ['Idle'], ['RecvPushPromise'], 'ReservedPeer'),
  sentence('a promise sent reserves an idle stream', ['Idle'], ['SendPushPromise'], 'ReservedLocal'),
  sentence('any other frame received on an idle stream ends the connection', ['Idle'], ['RecvData', 'RecvDataEnd', 'RecvReset', 'RecvWindowUpdate'], 'ProtocolErrorConnection'),
  sentence('no other frame may be sent on an idle stream', ['Idle'], ['SendData', 'SendDataEnd', 'SendReset', 'SendWindowUpdate'], 'Misuse'),
  sentence('PRIORITY may be received in any state and changes none', ['Idle', 'ReservedLocal', 'ReservedPeer', 'Open', 'HalfClosedLocal', 'HalfClosedPeer'], ['RecvPriority'], 'same'),

  sentence('what we promised may only be reset or get priority and credit', ['ReservedLocal'], [...recvMessage, 'RecvPushPromise'], 'ProtocolErrorConnection'),
  sentence('credit may come for what we promised', ['ReservedLocal'], ['RecvWindowUpdate'], 'same'),
  sentence('HEADERS fulfil our promise', ['ReservedLocal'], ['SendHeaders'], 'HalfClosedPeer'),
  sentence('HEADERS with END_STREAM fulfil it whole', ['ReservedLocal'], ['SendHeadersEnd'], 'ClosedByEnd'),
  sentence('what we promised starts with HEADERS', ['ReservedLocal'], ['SendData', 'SendDataEnd', 'SendWindowUpdate', 'SendPushPromise'], 'Misuse'),

  sentence('HEADERS fulfil the promise of the peer', ['ReservedPeer'], ['RecvHeaders'], 'HalfClosedLocal'),
  sentence('HEADERS with END_STREAM fulfil it whole', ['ReservedPeer'], ['RecvHeadersEnd'], 'ClosedByEnd'),
  sentence('nothing else may come on what was promised', ['ReservedPeer'], ['RecvData', 'RecvDataEnd', 'RecvWindowUpdate', 'RecvPushPromise'], 'ProtocolErrorConnection'),
  sentence('we may not answer on what was promised', ['ReservedPeer'], [...sendMessage, 'SendPushPromise'], 'Misuse'),
  sentence('but give credit for it', ['ReservedPeer'], ['SendWindowUpdate'], 'same'),

  sentence('an open stream takes any frame', ['Open'], ['RecvHeaders', 'RecvData', 'RecvWindowUpdate', 'SendHeaders', 'SendData', 'SendWindowUpdate'], 'same'),
  sentence('END_STREAM closes the half of the peer', ['Open'], ['RecvHeadersEnd', 'RecvDataEnd'], 'HalfClosedPeer'),
  sentence('END_STREAM closes our half', ['Open'], ['SendHeadersEnd', 'SendDataEnd'], 'HalfClosedLocal'),

  sentence('a stream closed on our half takes any frame', ['HalfClosedLocal'], ['RecvHeaders', 'RecvData', 'RecvWindowUpdate', 'SendWindowUpdate'], 'same'),
  sentence('END_STREAM then closes it', ['HalfClosedLocal'], ['RecvHeadersEnd', 'RecvDataEnd'], 'ClosedByEnd'),
  sentence('nothing may follow our END_STREAM', ['HalfClosedLocal', 'ClosedByEnd'], sendMessage, 'Misuse'),

  sentence('what follows the END_STREAM of the peer is a stream error', ['HalfClosedPeer'], recvMessage, 'StreamClosedStream'),
  sentence('but credit is not', ['HalfClosedPeer'], ['RecvWindowUpdate'], 'same'),
  sentence('we may go on', ['HalfClosedPeer'], ['SendHeaders', 'SendData', 'SendWindowUpdate'], 'same'),
  sentence('our END_STREAM then closes it', ['HalfClosedPeer'], ['SendHeadersEnd', 'SendDataEnd'], 'ClosedByEnd'),

  sentence('either side may reset what is not idle', ['ReservedLocal', 'ReservedPeer', 'Open', 'HalfClosedLocal', 'HalfClosedPeer'], ['RecvReset'], 'ClosedByPeerReset'),
  sentence('either side may reset what is not idle', ['ReservedLocal', 'ReservedPeer', 'Open', 'HalfClosedLocal', 'HalfClosedPeer'], ['SendReset'], 'ClosedByLocalReset'),

  sentence('a message after both have ended is a connection error', ['ClosedByEnd'], recvMessage, 'StreamClosedConnection'),
  sentence('a message after a reset of the peer is a stream error', ['ClosedByPeerReset'], recvMessage, 'StreamClosedStream'),
  sentence('a message that crosses our reset is ignored', ['ClosedByLocalReset'], recvMessage, 'Ignore'),
  sentence('a message on a forgotten stream is a stream error', ['ClosedForgotten'], recvMessage, 'StreamClosedStream'),
  sentence('a late RST_STREAM, WINDOW_UPDATE or PRIORITY is ignored', closed, ['RecvReset', 'RecvWindowUpdate', 'RecvPriority'], 'Ignore'),
  sentence('what is sent after a reset is dropped', closedByReset, sendMessage, 'Ignore'),
  sentence('a late cancel and late credit are dropped', closed, ['SendReset', 'SendWindowUpdate'], 'Ignore'),

  sentence('only an idle stream may be promised', ['Open', 'HalfClosedLocal', 'HalfClosedPeer', ...closed], ['RecvPushPromise'], 'ProtocolErrorConnection'),
  sentence('only an idle stream may be promised', ['Open', 'HalfClosedLocal', 'HalfClosedPeer', ...closed], ['SendPushPromise'], 'Misuse'),
]

for (const { says, states, inputs, becomes } of sentences) {
  t.test(says, (t) => {
    for (const state of states) {
      for (const input of inputs) {
        const result = nextState(StreamState[state], StreamInput[input])
        t.equal(nameOfResult(result), becomes === 'same' ? state : becomes, `${state} ${input}`)
      }
    }
    t.end()
  })
}

t.test('the sentences name every cell once', (t) => {
  const cells = sentences.flatMap(({ states, inputs }) =>
    states.flatMap((state) => inputs.map((input) => `${state} ${input}`)),
  )
  const all = stateNames.flatMap((state) => inputNames.map((input) => `${state} ${input}`))
  t.same(cells.sort(), all.sort())
  t.end()
})

t.test('four states are closed', (t) => {
  t.same(
    stateNames.filter((name) => isClosed(StreamState[name])),
    closed,
  )
  t.end()
})
