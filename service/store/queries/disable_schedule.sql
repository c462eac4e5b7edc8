SELECT disable_schedule($1, actor => $2, ring => $3, unconfigured => $4)
