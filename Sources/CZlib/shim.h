// The door to Debian's zlib, which compresses the histograms of a log.
#include <zlib.h>
