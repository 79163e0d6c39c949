/* memory.h: keeps an idle monitor small, as there is one for every running container. */
#pragma once

/* Gives back free heap, stack that was used once, and the program's own code and constants: the
 * kernel has those in its cache and maps again what is used next. Then waits until fd is readable
 * or a signal was caught, within one page of code. */
void memory_rest(int fd);
