import { Duplex } from 'node:stream'
import t from 'tap'
import { FakeClock } from '../../../lib/testing/index.ts'
import { SocketWire } from '../../../lib/transport/io/socket-wire.ts'
import { StaticRead } from '../../../lib/transport/io/static-read.ts'
import { WireRecorder } from '../../support/wire-recorder.ts'

/** A wire that is read by hand through the common buffer. */
async function reading(): Promise<{ events: WireRecorder; read: (text: string) => void }> {
  const read = new StaticRead()
  const wire = new SocketWire(new Duplex({ read() {} }), new FakeClock())
  const events = new WireRecorder()
  read.wire = wire
  wire.start(events)
  await new Promise((resolve) => setImmediate(resolve))
  const { buffer, callback } = read.onread
  return {
    events,
    read: (text) => {
      ;(buffer as Buffer).write(text)
      callback(text.length, buffer as Buffer)
    },
  }
}

t.test('all sockets share one buffer of 64 KiB', (t) => {
  const { buffer } = new StaticRead().onread
  t.equal(new StaticRead().onread.buffer, buffer)
  t.equal((buffer as Buffer).length, 65_536)
  t.end()
})

t.test('each socket is told its own octets', async (t) => {
  const one = await reading()
  const two = await reading()
  one.read('a')
  two.read('bb')
  one.read('c')
  t.equal(one.events.text, 'ac')
  t.equal(two.events.text, 'bb')
})

t.test('a read inside a read closes the outer wire, whose octets it overwrote', async (t) => {
  const outer = await reading()
  const inner = await reading()
  outer.events.hook = (kind) => kind === 'receive' && inner.read('inner')
  outer.read('outer')
  t.equal(inner.events.text, 'inner')
  await outer.events.done()
  t.match(outer.events.error, { message: /read_buffer_shared/ })
  inner.read(' goes on')
  t.equal(inner.events.text, 'inner goes on')
})
