// The least that an echo over TCP costs: answers each whole request with a response of the agreed
// size, all those of one read with one write.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { answerCommands } from '../answers.ts'
import { Batch, MessageCount, type RawSizes } from '../raw-echo.ts'

let sizes: RawSizes = { requestBytes: 1, responseBytes: 1 }

// One for all connections: it is written before the next read.
let responses = new Batch(sizes.responseBytes)

const server = createServer({ noDelay: true }, (socket) => {
  const requests = new MessageCount(sizes.requestBytes)
  socket.on('data', (octets) => {
    const whole = requests.read(octets.length)
    for (let i = 0; i < whole; i++) responses.add()
    if (whole > 0) socket.write(responses.take())
  })
  socket.on('error', () => socket.destroy())
})

answerCommands({
  listen: async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return (server.address() as AddressInfo).port
  },
  /** For connections made from now on. */
  sizes: (agreed: RawSizes) => {
    sizes = agreed
    responses = new Batch(sizes.responseBytes)
  },
})
