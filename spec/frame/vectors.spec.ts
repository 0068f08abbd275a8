// The public frame vectors, one test each.
import t from 'tap'
import { frameVectors } from './vectors.ts'

const vectors = frameVectors()
t.equal(vectors.length, 34, 'all vectors are there')
for (const { name, check } of vectors) t.test(name, async () => check())
