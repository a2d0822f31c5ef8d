// The door to Debian's liburing. Everything newer than its version 2.3 is defined in CURing.
#include <errno.h>
#include <liburing.h>
