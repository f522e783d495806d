import { describe } from 'vitest'
import { SMALL, testSeeds } from './seeds.ts'

describe('many small ones', () => {
  testSeeds(41, 300, SMALL)
})
