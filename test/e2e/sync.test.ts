import { describe } from 'vitest'
import { needs } from '../support/needs.ts'
import { backCases } from './sync/back.ts'
import { convergeCases } from './sync/converge.ts'
import { growthCases } from './sync/growth.ts'
import { leaveCases } from './sync/leave.ts'
import { liveCases } from './sync/live.ts'
import { missingCases } from './sync/missing.ts'
import { openStage } from './sync/stage.ts'
import { stoppedCases } from './sync/stopped.ts'
import { strictCases } from './sync/strict.ts'

for (const name of ['chromium', 'firefox'] as const) {
  const executable = needs(name)
  if (executable) {
    describe(`in ${name}`, () => {
      const stage = openStage(name, executable)
      describe('two windows of one browser', () => convergeCases(stage))
      describe('a page that is left and come back to', () => backCases(stage))
      describe('windows that follow', () => liveCases(stage))
      describe('pages that are allowed little', () => strictCases(stage))
      describe('windows beside one that is stopped', () => stoppedCases(stage))
      describe('a page that edits for long', () => growthCases(stage))
      describe('pages of a browser that lacks something', () => missingCases(stage))
      describe('edits of a page that goes away', () => leaveCases(stage))
    })
  }
}
