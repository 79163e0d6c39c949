/* identity.c: what tells this engine from every other: a random UUID (RFC 9562, version 4), made at
 * the first start and kept in the data root. */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/id.h"
#include "base/log.h"
#include "engine/engine-private.h"

#define IDENTITY_FILE "engine-id"
#define IDENTITY_SHAPE "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

_Static_assert(sizeof(IDENTITY_SHAPE) == ENGINE_ID_SIZE, "the shape is a UUID's");

static void make(char text[ENGINE_ID_SIZE]) {
        unsigned char bytes[16];
        char digits[2 * sizeof(bytes) + 1];
        const char *digit = digits;

        random_bytes(bytes, sizeof(bytes));
        bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* the version */
        bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* the variant */
        hex_encode(bytes, sizeof(bytes), digits);
        for (size_t i = 0; i < ENGINE_ID_SIZE - 1; i++)
                text[i] = IDENTITY_SHAPE[i] == '-' ? '-' : *digit++;
        text[ENGINE_ID_SIZE - 1] = '\0';
}

static bool is_identity(const char *text) {
        if (strlen(text) != ENGINE_ID_SIZE - 1)
                return false;
        for (size_t i = 0; i < ENGINE_ID_SIZE - 1; i++)
                if (IDENTITY_SHAPE[i] == '-' ? text[i] != '-'
                                             : !strchr("0123456789abcdefABCDEF", text[i]))
                        return false;
        return true;
}

/* A new one where there is none, or what is there is none. One that cannot be kept is no reason not
 * to start: it is this run's. */
void engine_identify(Engine *engine) {
        _cleanup_free_ char *text = NULL;
        Error err = { 0 };
        size_t length;
        int r = file_read_at(engine->data_root_fd, IDENTITY_FILE, BUFSIZ, &text, &length, &err);

        if (r == 0 && is_identity(str_trim(text))) {
                memcpy(engine->id, str_trim(text), sizeof(engine->id));
                return;
        }
        if (r < 0 && r != -ENOENT)
                log_warn("the engine gets a new ID: %s", err.message);
        else if (r == 0)
                log_warn("%s/" IDENTITY_FILE " holds no UUID: the engine gets a new ID",
                         engine->options.data_root);
        make(engine->id);
        if (file_replace_at(engine->data_root_fd, IDENTITY_FILE, engine->id, strlen(engine->id),
                            0600, true, &err) < 0)
                log_warn("the engine's ID is lost when it ends: %s", err.message);
}
