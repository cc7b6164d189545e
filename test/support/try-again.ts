/** Status of a process that has done nothing, and is to be started again: EX_TEMPFAIL of sysexits.h. */
export const TRY_AGAIN = 75
