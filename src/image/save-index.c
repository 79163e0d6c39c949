/* save-index.c: an index in an archive: it is as it came where each of its images goes with the
 * manifest that it names; else it is one of the manifests that go. See save.h. */
#include "image/save.h"

static const SavedImage *image_of(const Saver *saver, const StoredIndex *index,
                                  const char *manifest) {
        for (size_t i = 0; i < index->count; i++)
                if (str_equal(index->variants[i].manifest, manifest))
                        return save_image_of(saver, index->variants[i].image);
        return NULL; /* it is not here */
}

static bool name_what_goes(const Saver *saver, StoredIndex *index) {
        Descriptor *manifests = index->document.index.manifests.items;
        bool changed = false;

        for (size_t i = 0; i < index->document.index.manifests.count; i++) {
                const SavedImage *saved = image_of(saver, index, manifests[i].digest);

                if (!saved || str_equal(saved->manifest, manifests[i].digest))
                        continue;
                str_replace(&manifests[i].digest, saved->manifest);
                str_replace(&manifests[i].media_type, saved->manifest_type);
                manifests[i].size = (int64_t)saved->manifest_length;
                changed = true;
        }
        return changed;
}

void save_make_indexes(Saver *saver) {
        for (size_t i = 0; i < saver->index_count; i++) {
                StoredIndex *index = &saver->indexes[i].stored;

                form_annotate_index(&index->document.index, saver->save->annotations);
                if (!name_what_goes(saver, index) && !saver->save->annotations)
                        continue;
                free(index->text);
                index->text = form_index(&index->document.index);
                index->length = strlen(index->text);
                digest_of(index->text, index->length, index->digest);
        }
}
