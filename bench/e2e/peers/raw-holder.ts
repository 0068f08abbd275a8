// A client that holds TCP connections on which it got one octet for one octet.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerCommands } from '../answers.ts'
import { inBatches } from '../in-batches.ts'

const sockets: Socket[] = []
let port = 0

async function openConnection(): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  sockets.push(socket)
  socket.write('.')
  await once(socket, 'data')
}

answerCommands({
  target: (chosen: number) => {
    port = chosen
  },
  openConnections: (count: number) => inBatches(count, openConnection),
})
