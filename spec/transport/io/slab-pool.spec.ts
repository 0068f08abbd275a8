import t from 'tap'
import { giveSlab, keptSlabs, SLAB_BYTES, takeSlab } from '../../../lib/transport/io/slab-pool.ts'

t.test('a slab that was given back is taken again', (t) => {
  const slab = takeSlab()
  t.equal(slab.length, SLAB_BYTES)
  t.equal(SLAB_BYTES, 65_536)
  giveSlab(slab)
  t.equal(takeSlab(), slab)
  t.not(takeSlab(), slab, 'once')
  t.end()
})

t.test('few are kept', (t) => {
  const slabs = Array.from({ length: 20 }, () => takeSlab())
  t.equal(keptSlabs(), 0)
  for (const slab of slabs) giveSlab(slab)
  t.ok(keptSlabs() <= 4)
  t.end()
})

t.test('what is no slab is not kept', (t) => {
  while (keptSlabs() > 0) takeSlab()
  giveSlab(Buffer.alloc(10))
  giveSlab(takeSlab().subarray(1))
  t.equal(keptSlabs(), 0)
  t.end()
})
