import type { Step } from './scene.ts'
import { DEVICE_STEPS } from './steps/devices.ts'
import { EDIT_STEPS } from './steps/edits.ts'
import { SITE_STEPS } from './steps/site.ts'
import { TAB_STEPS } from './steps/tabs.ts'

/** All that can happen, besides faults that befall what happens. */
export const STEPS: readonly Step[] = [...EDIT_STEPS, ...TAB_STEPS, ...DEVICE_STEPS, ...SITE_STEPS]
