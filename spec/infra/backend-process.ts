// A process that answers each call with the call's number and its own name, until it is killed.
// Arguments: name, address to listen on.
import { Server } from '../../lib/grpc/index.ts'
import { Echo } from '../support/echo-service.ts'

const [name = '', address = ''] = process.argv.slice(2)
const server = new Server().register(Echo, {
  unary: ({ n = 0 }) => ({ n, text: name }),
  *list() {},
  sum: () => ({}),
  *chat() {},
})
const { port } = await server.listen(address)
process.stdout.write(`listening at port ${port}\n`)
