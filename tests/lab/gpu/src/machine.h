/* Copyright (c) 2026 rackforge contributors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the simulated machine is like at this moment: /run/lab-hardware/nvidia.conf, lines `key=value`.
 * The file is there exactly while the simulated kernel module is loaded.
 */
#ifndef LAB_MACHINE_H
#define LAB_MACHINE_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MACHINE_FOLDER "/run/lab-hardware"
#define MACHINE_FILE MACHINE_FOLDER "/nvidia.conf"
#define MACHINE_PERSISTENCE MACHINE_FOLDER "/persistence"
#define MAX_GPUS 64
#define SOMETIMES __attribute__((unused)) /* not every program needs every function */

static char machine_text[1 << 17];

/* Reads the file anew, so that a fault that is set now shows in a process that runs already. */
static SOMETIMES int machine_read(void)
{
    FILE *file = fopen(MACHINE_FILE, "r");
    machine_text[0] = '\0';
    if (!file)
        return 0;
    size_t length = fread(machine_text, 1, sizeof machine_text - 1, file);
    machine_text[length] = '\0';
    fclose(file);
    return 1;
}

/* Puts the value of a key into `value` and returns 1, or returns 0 where the key is not there. */
static SOMETIMES int machine_value(const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (const char *line = machine_text; line && *line; line = strchr(line, '\n')) {
        while (*line == '\n')
            line++;
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            const char *start = line + length + 1;
            size_t count = strcspn(start, "\n");
            if (count >= size)
                count = size - 1;
            memcpy(value, start, count);
            value[count] = '\0';
            return 1;
        }
    }
    return 0;
}

static SOMETIMES int gpu_value(int gpu, const char *name, char *value, size_t size)
{
    char key[128];
    snprintf(key, sizeof key, "gpu.%d.%s", gpu, name);
    return machine_value(key, value, size);
}

static SOMETIMES int gpu_number(int gpu, const char *name, long long *number)
{
    char value[64];
    if (!gpu_value(gpu, name, value, sizeof value) || value[0] == '\0')
        return 0;
    char *end;
    *number = strtoll(value, &end, 0);
    return *end == '\0';
}

static SOMETIMES int gpu_is(int gpu, const char *name, const char *wanted)
{
    char value[64];
    return gpu_value(gpu, name, value, sizeof value) && strcmp(value, wanted) == 0;
}

/* The driver shows a GPU to whoever has its device file: a container without it sees none. */
static SOMETIMES int gpu_has_device_file(int gpu)
{
    char path[64];
    struct stat found;
    snprintf(path, sizeof path, "/dev/nvidia%d", gpu);
    return stat(path, &found) == 0;
}

#endif
