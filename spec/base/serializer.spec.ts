import t from 'tap'
import { Serializer } from '../../lib/base/serializer.ts'
import { settle } from '../support/fake-network.ts'

t.test('a task runs after the code that scheduled it', async (t) => {
  const order: string[] = []
  new Serializer().schedule(() => order.push('task'))
  order.push('scheduled')
  await settle()
  t.strictSame(order, ['scheduled', 'task'])
})

t.test('a task that a task schedules runs after all that were waiting', async (t) => {
  const order: string[] = []
  const serializer = new Serializer()
  serializer.schedule(() => {
    serializer.schedule(() => order.push('third'))
    order.push('first')
  })
  serializer.schedule(() => order.push('second'))
  await settle()
  t.strictSame(order, ['first', 'second', 'third'])
})

t.test('a task that throws does not lose the tasks behind it', async (t) => {
  const thrown: unknown[] = []
  const order: string[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', (error) => thrown.push(error))
  const serializer = new Serializer()
  serializer.schedule(() => {
    serializer.schedule(() => order.push('third'))
    throw new Error('a bug')
  })
  serializer.schedule(() => order.push('second'))
  await settle()
  for (const listener of listeners) process.on('uncaughtException', listener)
  t.match(thrown, [{ message: 'a bug' }])
  t.strictSame(order, ['second', 'third'])
})
