/* download-name.h: what a downloaded file is called. Part of brig-image. */
#pragma once

/* The name that the server gives by Content-Disposition (RFC 6266; may be NULL), else the last
 * component of the URL's path, percent-decoded. One component, never "." or ".."; "" where there is
 * none. The caller's. */
char *download_name(const char *url, const char *disposition);
