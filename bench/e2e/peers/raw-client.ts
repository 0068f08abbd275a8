// The client of the raw TCP echo: so many calls in flight, the next ones of all responses of one read
// sent with one write. Reads as framewright's clients do, by `onread` into one buffer.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerCommands } from '../answers.ts'
import { type RoundPlan, type RoundResult, timeRound, Whistle } from '../closed-loop.ts'
import { messagesOf, type RawSizes } from '../raw-echo.ts'

const READ_BYTES = 65_536

const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
let socket: Socket | undefined
let sizes: RawSizes = { requestBytes: 1, responseBytes: 1 }
let onOctets: (octets: number) => void = () => {}

function open(port: number): Socket {
  const callback = (octets: number): boolean => {
    onOctets(octets)
    return true
  }
  return connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } })
}

function exchange({ callers, durationMs }: RoundPlan): Promise<number> {
  const requests = messagesOf(sizes.requestBytes)
  const whistle = new Whistle(durationMs)
  let octetsPending = 0
  let inFlight = callers
  let calls = 0
  return new Promise((resolve) => {
    onOctets = (octets) => {
      octetsPending += octets
      const whole = Math.floor(octetsPending / sizes.responseBytes)
      octetsPending -= whole * sizes.responseBytes
      calls += whole
      if (!whistle.blown) {
        if (whole > 0) socket!.write(requests[whole]!)
        return
      }
      inFlight -= whole
      if (inFlight === 0) resolve(calls)
    }
    socket!.write(requests[callers]!)
  })
}

answerCommands({
  sizes: (agreed: RawSizes) => {
    sizes = agreed
  },
  connect: async (port: number) => {
    socket?.destroy()
    socket = open(port)
    await once(socket, 'connect')
  },
  round: (plan: RoundPlan): Promise<RoundResult> => timeRound(() => exchange(plan)),
})
